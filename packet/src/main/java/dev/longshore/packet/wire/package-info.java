/**
 * One file of static accessors per wire format, over {@code (ByteBuf b, int at)}; called by everything that reads or
 * writes packets, knows nothing of them. After a format's {@code isValid} is true, none of its accessors reads outside
 * the given bytes, and none throws.
 */
@NullMarked
package dev.longshore.packet.wire;

import org.jspecify.annotations.NullMarked;
