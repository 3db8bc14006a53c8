/**
 * Shared folders: which there are, the inodes of theirs that the guest knows, open files, and who is said to own what. Called
 * by {@link dev.longshore.fileshare.fuse}; knows nothing of the FUSE protocol.
 */
@NullMarked
package dev.longshore.fileshare.share;

import org.jspecify.annotations.NullMarked;
