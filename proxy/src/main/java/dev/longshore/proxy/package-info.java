/**
 * The HTTP/1.1 forward proxy at {@code http.docker.internal:3128}: RFC 9110 and 9112, the role "proxy".
 * <p>{@link dev.longshore.proxy.HttpProxy} is put on channels that come from guests; it opens the other side through
 * {@link dev.longshore.vpnkit.hostsocket.Dialer}. It knows neither packets nor where a channel comes from.
 */
@NullMarked
package dev.longshore.proxy;

import org.jspecify.annotations.NullMarked;
