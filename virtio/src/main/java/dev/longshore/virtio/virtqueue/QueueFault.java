package dev.longshore.virtio.virtqueue;

/** What a guest did to its ring that made us stop it, or {@link #NONE}. */
public enum QueueFault {
    NONE,
    /** More entries (of a packed ring: slots) made available than the queue has. */
    AVAIL_INDEX_JUMPED,
    /** An entry of the available ring is no descriptor of the table. */
    HEAD_OUT_OF_RANGE,
    /** A descriptor's {@code next} is outside its table. */
    NEXT_OUT_OF_RANGE,
    /** More descriptors in a chain than the table has, or than there can be: a loop. */
    CHAIN_TOO_LONG,
    /** A buffer, or part of it, is outside the guest's memory. */
    ADDRESS_OUTSIDE_MEMORY,
    /** A readable descriptor after a writable one (2.7.4.2). */
    READABLE_AFTER_WRITABLE,
    /** An indirect table that is not negotiated, nested, empty, too large, or part of a chain that goes on (2.7.5.3.1, 2.8.7). */
    BAD_INDIRECT_TABLE,
    /** A chain of 2 GiB or more. */
    CHAIN_TOO_LARGE
}
