package dev.longshore.vpnkit.hostsocket;

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.List;

/** The host's resolver. Thread-safe; may block, so it is never called on an event loop. */
@FunctionalInterface
public interface NameLookup {
    /** At least one address, in the order to try. */
    List<InetAddress> addressesOf(String name) throws UnknownHostException;

    /** getaddrinfo, with the host's hosts file, search list and VPN split DNS. */
    static NameLookup ofHost() {
        return name -> List.of(InetAddress.getAllByName(name));
    }
}
