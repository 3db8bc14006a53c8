package dev.longshore.fileshare.watch;

import org.jspecify.annotations.Nullable;

/** What has happened to one name since the guest was last told of it. Confined to the watch's thread. */
final class FileChange {
    static final int GONE = 1;
    static final int CREATED = 1 << 1;
    static final int MODIFIED = 1 << 2;
    static final int ATTRIBUTES = 1 << 3;
    static final int WRITTEN = 1 << 4;

    final Place place;
    int what;

    /** It was not there when the guest was last told: if it is gone again there is nothing to tell. */
    boolean isNew;

    /** What is gone was a directory. */
    boolean directory;

    /** Where it was when the guest was last told. */
    @Nullable
    Place from;

    FileChange(Place place) {
        this.place = place;
    }

    boolean has(int change) {
        return (what & change) != 0;
    }

    /** A name in a directory, bytes as characters. Immutable. */
    record Place(String directory, String name) {
        String path() {
            return directory + "/" + name;
        }
    }
}
