/**
 * The FUSE protocol (Linux include/uapi/linux/fuse.h) and the server that answers it. Called by transports, which hand it
 * {@link dev.longshore.fileshare.fuse.FuseExchange}s; knows none of them.
 */
@NullMarked
package dev.longshore.fileshare.fuse;

import org.jspecify.annotations.NullMarked;
