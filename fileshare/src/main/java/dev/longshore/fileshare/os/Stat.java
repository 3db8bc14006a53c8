package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * A {@code struct statx}, filled by {@link Posix#statx}: Linux include/uapi/linux/stat.h. {@code struct fuse_statx} has the
 * same layout. Confined to one thread at a time.
 */
public final class Stat {
    public static final int BYTES = 256;

    /** STATX_BASIC_STATS | STATX_BTIME. */
    public static final int MASK = 0x7FF | 0x800;

    public static final int S_IFMT = 0xF000;
    public static final int S_IFSOCK = 0xC000;
    public static final int S_IFLNK = 0xA000;
    public static final int S_IFREG = 0x8000;
    public static final int S_IFBLK = 0x6000;
    public static final int S_IFDIR = 0x4000;
    public static final int S_IFCHR = 0x2000;
    public static final int S_IFIFO = 0x1000;
    public static final int S_ISUID = 0x800;
    public static final int S_ISGID = 0x400;
    public static final int S_ISVTX = 0x200;
    /** S_IXGRP. */
    public static final int GROUP_EXECUTE = 0x8;

    private static final int BTIME_BIT = 0x800;
    private static final long NANOS = 1_000_000_000L;

    private final MemorySegment m = Arena.ofAuto().allocate(BYTES, 8);

    /** The structure itself. */
    public MemorySegment memory() {
        return m;
    }

    public int blockBytes() {
        return m.get(JAVA_INT, 4);
    }

    public int links() {
        return m.get(JAVA_INT, 16);
    }

    public int uid() {
        return m.get(JAVA_INT, 20);
    }

    public int gid() {
        return m.get(JAVA_INT, 24);
    }

    /** Type and permission bits. */
    public int mode() {
        return m.get(JAVA_SHORT, 28) & 0xFFFF;
    }

    /** S_IFREG and the like. */
    public int type() {
        return mode() & S_IFMT;
    }

    public boolean isDirectory() {
        return type() == S_IFDIR;
    }

    public long ino() {
        return m.get(JAVA_LONG, 32);
    }

    public long size() {
        return m.get(JAVA_LONG, 40);
    }

    /** Of 512 bytes. */
    public long blocks() {
        return m.get(JAVA_LONG, 48);
    }

    public long atimeSeconds() {
        return m.get(JAVA_LONG, 64);
    }

    public int atimeNanos() {
        return m.get(JAVA_INT, 72);
    }

    /** When the file was made, in nanoseconds since 1970 (wrapping); 0 where the file system doesn't tell. */
    public long birth() {
        return (m.get(JAVA_INT, 0) & BTIME_BIT) == 0 ? 0 : m.get(JAVA_LONG, 80) * NANOS + m.get(JAVA_INT, 88);
    }

    public long ctimeSeconds() {
        return m.get(JAVA_LONG, 96);
    }

    public int ctimeNanos() {
        return m.get(JAVA_INT, 104);
    }

    /** When the inode last changed, in nanoseconds since 1970 (wrapping). */
    public long ctime() {
        return ctimeSeconds() * NANOS + ctimeNanos();
    }

    public long mtimeSeconds() {
        return m.get(JAVA_LONG, 112);
    }

    public int mtimeNanos() {
        return m.get(JAVA_INT, 120);
    }

    public int deviceMajor() {
        return m.get(JAVA_INT, 128);
    }

    public int deviceMinor() {
        return m.get(JAVA_INT, 132);
    }

    /** The file system's device as Linux has it inside: 12 bits major, 20 bits minor (MINORBITS). */
    public int dev() {
        return m.get(JAVA_INT, 136) << 20 | m.get(JAVA_INT, 140);
    }

    // ---- what is reported instead of what the host has

    public void owner(int uid, int gid) {
        m.set(JAVA_INT, 20, uid);
        m.set(JAVA_INT, 24, gid);
    }

    public void mode(int mode) {
        m.set(JAVA_SHORT, 28, (short) mode);
    }

    public void device(int major, int minor) {
        m.set(JAVA_INT, 128, major);
        m.set(JAVA_INT, 132, minor);
    }

    /** A file of which no more is known. */
    public void unknown(long ino, int type) {
        virtualDirectory(ino, 1);
        mode(type | 0x180);
    }

    /** A directory that is on no disk. */
    public void virtualDirectory(long ino, int links) {
        m.fill((byte) 0);
        m.set(JAVA_INT, 0, MASK & ~BTIME_BIT);
        m.set(JAVA_INT, 4, 4096);
        m.set(JAVA_INT, 16, links);
        mode(S_IFDIR | 0x16D);
        m.set(JAVA_LONG, 32, ino);
    }
}
