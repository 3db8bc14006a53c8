package dev.longshore.proxy;

import dev.longshore.config.AddressPlan;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.HttpVersion;
import dev.longshore.proxy.message.RequestHead;
import dev.longshore.vpnkit.hostsocket.Destination;
import java.net.InetAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Decides what a request means, or why it is refused: one place for everything that keeps a container from smuggling a
 * request past us (RFC 9112 §11.2), from going round in circles, and from reaching the daemon. Immutable.
 */
final class RequestGate implements Gate {
    private static final int HTTP_PORT = 80;
    private static final String HTTP_SCHEME = "http://";

    private final ProxySettings settings;

    RequestGate(ProxySettings settings) {
        this.settings = settings;
    }

    @Override
    public AuditRecord.Kind kind() {
        return AuditRecord.Kind.REQUEST;
    }

    @Override
    public Admission admit(RequestHead head) throws BadMessage {
        BodyFraming framing = BodyFraming.ofRequest(head);
        Authority host = hostOf(head);
        refuseLoop(head, settings.pseudonym());
        if (head.isConnect()) {
            return connect(head, framing);
        }
        if (head.target().startsWith("/") || head.target().equals("*")) {
            return ownOrConfused(head, host, framing);
        }
        return forward(head, framing);
    }

    /** Exactly one valid Host in HTTP/1.1, at most one in 1.0 (RFC 9112 §3.2); CONNECT needs none, its target is one. */
    static @Nullable Authority hostOf(RequestHead head) throws BadMessage {
        List<String> hosts = head.fields().all("Host");
        if (hosts.size() > 1) {
            throw BadMessage.badRequest("more than one Host");
        }
        if (hosts.isEmpty()) {
            if (head.version() == HttpVersion.HTTP_1_1 && !head.isConnect()) {
                throw BadMessage.badRequest("Host is missing");
            }
            return null;
        }
        return Authority.parse(hosts.getFirst());
    }

    /** A name in Via, RFC 9110 §7.6.3: it was here before. */
    static void refuseLoop(RequestHead head, String pseudonym) throws BadMessage {
        for (String hop : head.fields().tokens("Via")) {
            String[] parts = hop.split("[ \t]+", 3);
            if (parts.length > 1 && parts[1].equalsIgnoreCase(pseudonym)) {
                throw new BadMessage(508, "this request has been here already");
            }
        }
    }

    private Admission connect(RequestHead head, BodyFraming framing) throws BadMessage {
        Authority target = Authority.parse(head.target());
        if (target.port() == 0) {
            throw BadMessage.badRequest("CONNECT needs a port");
        }
        if (!(framing instanceof BodyFraming.None) && !framing.equals(new BodyFraming.Length(0))) {
            throw BadMessage.badRequest("CONNECT has no body");
        }
        return new Admission.Tunnel(reachable(target.destination(0)));
    }

    /** Origin-form is for a server: we are one only under our own names. */
    private Admission ownOrConfused(RequestHead head, @Nullable Authority host, BodyFraming framing) throws BadMessage {
        if (head.target().equals("*") && !head.method().equals("OPTIONS")) {
            throw BadMessage.badRequest("'*' is a target of OPTIONS only");
        }
        if (host != null && !isOurselves(host)) {
            throw BadMessage.badRequest("this is a proxy: the request target must be a whole URL");
        }
        return new Admission.Own(head.target(), framing);
    }

    private boolean isOurselves(Authority host) {
        IpAddress address = host.address();
        return address != null
                ? host.port() == AddressPlan.PROXY_PORT && isForbiddenOwn(address)
                : ProxySettings.PROXY_NAME.equals(host.name());
    }

    private Admission forward(RequestHead head, BodyFraming framing) throws BadMessage {
        String target = head.target();
        if (!target.regionMatches(true, 0, HTTP_SCHEME, 0, HTTP_SCHEME.length())) {
            throw BadMessage.badRequest(
                    target.regionMatches(true, 0, "https://", 0, 8)
                            ? "https goes through CONNECT"
                            : "only http:// URLs can be forwarded");
        }
        if (target.indexOf('#') >= 0) {
            throw BadMessage.badRequest("a request target has no fragment");
        }
        int pathAt = endOfAuthority(target);
        Authority authority = Authority.parse(target.substring(HTTP_SCHEME.length(), pathAt));
        String path = originForm(head.method(), target.substring(pathAt));
        if (isOurselves(authority)) {
            return new Admission.Own(path, framing);
        }
        Destination destination = reachable(authority.destination(HTTP_PORT));
        return new Admission.Forward(destination, authority.hostField(), path, framing);
    }

    private static int endOfAuthority(String target) {
        int at = HTTP_SCHEME.length();
        while (at < target.length() && "/?".indexOf(target.charAt(at)) < 0) {
            at++;
        }
        return at;
    }

    /** RFC 9112 §3.2.1, and §3.2.4 for OPTIONS without a path. */
    private static String originForm(String method, String rest) {
        if (rest.isEmpty()) {
            return method.equals("OPTIONS") ? "*" : "/";
        }
        return rest.startsWith("?") ? "/" + rest : rest;
    }

    /** The destination to dial; 403 for what a container has no business with. */
    private Destination reachable(Destination wanted) throws BadMessage {
        String name = wanted.name();
        if (name != null) {
            return reachableName(name, wanted);
        }
        IpAddress address = wanted.address();
        if (address == null || isForbiddenOwn(address)) {
            throw new BadMessage(403, "this address belongs to the virtual network itself");
        }
        InetAddress a = address.toInetAddress();
        if (a.isLoopbackAddress() || a.isAnyLocalAddress()) {
            throw new BadMessage(403, "loopback is not the host's here: use " + ProxySettings.HOST_NAME);
        }
        if (a.isMulticastAddress() || a.isLinkLocalAddress() || address.equals(IpAddress.v4(-1))) {
            throw new BadMessage(403, "this address cannot be reached through a proxy");
        }
        return wanted;
    }

    private boolean isForbiddenOwn(IpAddress address) {
        return settings.own().isInGuestNetwork(address) && !settings.own().isHostAlias(address);
    }

    private Destination reachableName(String name, Destination wanted) throws BadMessage {
        if (settings.own().isHostName(name)) {
            return wanted;
        }
        if (name.endsWith(ProxySettings.OWN_DOMAIN)) {
            throw new BadMessage(403, "this name belongs to the virtual network itself");
        }
        if (name.equals("localhost") || name.endsWith(".localhost")) {
            throw new BadMessage(403, "loopback is not the host's here: use " + ProxySettings.HOST_NAME);
        }
        return wanted;
    }
}
