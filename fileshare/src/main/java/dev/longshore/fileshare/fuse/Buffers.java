package dev.longshore.fileshare.fuse;

import dev.longshore.fileshare.os.Xattrs;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The larger pieces of memory that a thread works with, some 300 KB. Threads come and go with the guest's work, so they are handed on from
 * one that ends to the next: the collector, which frees memory outside its heap only when that is full, would take hours.
 */
final class Buffers {
    /** A request without its data. */
    final MemorySegment request = Arena.ofAuto().allocate(Request.MAX_BYTES, 8);
    /** A reply without its data. */
    final MemorySegment reply = Arena.ofAuto().allocate(Request.MAX_REPLY_BYTES, 8);
    /** Entries as the host's kernel has them. */
    final MemorySegment entries = Arena.ofAuto().allocate(DirectoryOps.BUFFER_BYTES, 8);
    /** Names of attributes as the host's kernel has them. */
    final MemorySegment attributes = Arena.ofAuto().allocate(Xattrs.MAX_VALUE_BYTES);
}
