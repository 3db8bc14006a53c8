/**
 * The name server at our own address: answers for our names and the host's hosts file, and relays everything else to the host's
 * resolvers, with a cache, routes by domain and a filter of address families. In-process, nothing listens on the host for it. Called
 * by udp and by the TCP flows' pipelines. Knows nothing of containers or policies. RFC 1035, RFC 2308, RFC 5452, RFC 5625,
 * RFC 6891, RFC 7766, RFC 8906.
 */
@NullMarked
package dev.longshore.vpnkit.dns;

import org.jspecify.annotations.NullMarked;
