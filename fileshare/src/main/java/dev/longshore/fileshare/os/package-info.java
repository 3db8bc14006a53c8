/**
 * System calls on files, relative to descriptors and with names as bytes, which java.nio cannot do. Knows nothing of FUSE.
 * Besides module {@code linux} the only package that makes foreign calls.
 */
@NullMarked
package dev.longshore.fileshare.os;

import org.jspecify.annotations.NullMarked;
