package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.FileData;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.os.ThreadCalls;
import dev.longshore.fileshare.os.Xattrs;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** The system calls of one thread, with their scratch memory. Confined to that thread. */
public final class Host {
    public final Posix posix = new Posix();
    public final FileData data = new FileData();
    public final Xattrs xattrs = new Xattrs();
    public final ThreadCalls thread = new ThreadCalls();

    /** For the request's own use. */
    public final Stat stat = new Stat();

    /** For a second file of the request. */
    public final Stat otherStat = new Stat();

    /** For file systems. */
    public final MemorySegment statfs = Arena.ofAuto().allocate(Posix.STATFS_BYTES, 8);

    /** For values of attributes. */
    final MemorySegment value = Arena.ofAuto().allocate(128);

    /** For paths of what is open. */
    final MemorySegment path = Arena.ofAuto().allocate(Posix.MAX_PATH_BYTES);

    /** For {@link NodeTable}'s checks. */
    final Stat check = new Stat();
}
