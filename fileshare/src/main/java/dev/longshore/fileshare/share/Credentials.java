package dev.longshore.fileshare.share;

import dev.longshore.fileshare.os.ThreadCalls;

/**
 * In whose name this thread makes files: as a rule this process's, for the time of one call somebody else's. Needs
 * {@link Ownership#HOST}. Confined to its thread.
 */
public final class Credentials {
    private final ThreadCalls calls;
    private boolean changed;
    private boolean groups;

    public Credentials(ThreadCalls calls) {
        this.calls = calls;
    }

    /**
     * The next file is {@code uid}'s and {@code gid}'s.
     *
     * @param hasGroup true if the caller is in {@code group} too, by which it may write to the directory
     */
    public void become(int uid, int gid, boolean hasGroup, int group) {
        if (uid == 0 && gid == 0) {
            return;
        }
        changed = true;
        if (hasGroup) {
            calls.setGroups(true, group);
            groups = true;
        }
        calls.setFsGid(gid); // first: without uid 0 it could not
        calls.setFsUid(uid);
    }

    /** This process's own again. */
    public void restore() {
        if (!changed) {
            return;
        }
        changed = false;
        calls.setFsUid(0);
        calls.setFsGid(0);
        if (groups) {
            groups = false;
            calls.setGroups(false, 0);
        }
    }
}
