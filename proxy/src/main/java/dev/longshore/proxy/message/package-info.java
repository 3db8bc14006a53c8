/**
 * HTTP/1.1 messages as they cross a connection (RFC 9112): read strictly from guests, leniently from servers, and written. Knows no
 * channel, no proxy and no policy; {@code proxy}, {@code upstream} and {@code auth} call it.
 */
@NullMarked
package dev.longshore.proxy.message;

import org.jspecify.annotations.NullMarked;
