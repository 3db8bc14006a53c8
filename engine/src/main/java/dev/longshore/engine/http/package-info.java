/**
 * HTTP/1.1 messages as they pass by: where a head ends, what it says, where its body ends (RFC 9112). Nothing is repaired and
 * nothing is changed.
 *
 * <p>Requests are read strictly: what two parsers could read differently is refused, since the Engine would then see another
 * request than the one that was judged (RFC 9112 §11.2). Must not know Docker, channels or event loops.
 */
@NullMarked
package dev.longshore.engine.http;

import org.jspecify.annotations.NullMarked;
