/**
 * Watches the host's folders that containers have mounted, and says what somebody on the host did in them, one file at a time, as fast as the guest
 * hears it and no faster. Knows the file server only as far as to leave out what the guest did itself; how a change reaches the guest is
 * {@link dev.longshore.fileshare.watch.EventSink}'s affair. inotify(7).
 */
@NullMarked
package dev.longshore.fileshare.watch;

import org.jspecify.annotations.NullMarked;
