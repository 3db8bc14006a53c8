package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.Stat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A directory on the way to shared folders, which lists nothing else. On no disk, and nobody can change it. Guarded by the
 * {@link NodeTable}.
 */
public final class VirtualDirectory extends Node {
    private static final long INO = 1L << 62;

    private final TreeMap<byte[], VirtualDirectory> directories = new TreeMap<>(Arrays::compareUnsigned);
    private final TreeMap<byte[], Share> shares = new TreeMap<>(Arrays::compareUnsigned);

    VirtualDirectory(long id) {
        super(id, 0, INO + id, 0, Stat.S_IFDIR);
        fixed = true;
    }

    @Nullable
    VirtualDirectory directory(byte[] name) {
        return directories.get(name);
    }

    @Nullable
    Share share(byte[] name) {
        return shares.get(name);
    }

    void put(byte[] name, VirtualDirectory directory) {
        directory.name = name;
        directory.parent = this;
        directories.put(name, directory);
    }

    void put(byte[] name, Share share) {
        shares.put(name, share);
    }

    void clear() {
        directories.clear();
        shares.clear();
    }

    List<VirtualDirectory> directories() {
        return new ArrayList<>(directories.values());
    }

    List<Share> shares() {
        return new ArrayList<>(shares.values());
    }

    int count() {
        return directories.size() + shares.size();
    }

    List<byte[]> directoryNames() {
        return new ArrayList<>(directories.keySet());
    }

    List<byte[]> shareNames() {
        return new ArrayList<>(shares.keySet());
    }

    /** Fills {@code into}. */
    void stat(Stat into) {
        into.virtualDirectory(ino, 2 + count());
    }
}
