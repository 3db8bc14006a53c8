package dev.longshore.virtio.memory;

/**
 * One entry of SET_MEM_TABLE, as the front end said it: unsigned and untrusted. Immutable.
 *
 * @param guestAddress guest physical address, what descriptors hold
 * @param bytes size of the region
 * @param userAddress address in the front end's address space, what SET_VRING_ADDR holds
 * @param mmapOffset where the region starts in its file
 */
public record RegionSpec(long guestAddress, long bytes, long userAddress, long mmapOffset) {
    /** A reason to refuse the region of a file of {@code fileBytes} bytes, or an empty string. */
    String problem(long fileBytes) {
        if (bytes <= 0) {
            return "size of " + Long.toUnsignedString(bytes) + " bytes";
        }
        if (mmapOffset < 0 || mmapOffset > Long.MAX_VALUE - bytes) {
            return "offset out of range";
        }
        if (Long.compareUnsigned(guestAddress + bytes, guestAddress) < 0
                || Long.compareUnsigned(userAddress + bytes, userAddress) < 0) {
            return "address range wraps";
        }
        if (mmapOffset + bytes > fileBytes) {
            return "region ends at " + (mmapOffset + bytes) + " of a file of " + fileBytes + " bytes";
        }
        return "";
    }
}
