package dev.longshore.fileshare.watch;

/**
 * What a {@link HostWatch} does. Immutable.
 *
 * @param directories that are watched now
 * @param unwatched directories that are not, because there are too many; at the last look
 * @param told lines that the guest's agent has made heard
 * @param unheard lines that it could not, as of files that are gone again
 * @param own events that the guest had caused itself
 * @param dropped changes that there was no room for
 * @param lost times that the kernel had no room for events
 * @param waiting changes that are to be told
 */
public record WatchFigures(
        int directories, int unwatched, long told, long unheard, long own, long dropped, long lost, int waiting) {
    public static final WatchFigures NONE = new WatchFigures(0, 0, 0, 0, 0, 0, 0, 0);
}
