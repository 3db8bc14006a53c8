package dev.longshore.config;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/**
 * All settings, in the order of listings: the only place with names, ranges and defaults. The JSON schemas are made from
 * it. Where Docker Desktop has a key for a setting, the setting has that name. Immutable.
 */
public final class SettingTable {
    /** Objects of which an administrator locks all members at once. */
    static final List<String> GROUPS = List.of("proxy", "containersProxy");

    /** Docker VMM refuses to start with less. */
    static final int DOCKER_VMM_MEMORY_MIB = 4096;

    // ---- the guest's machine

    public static final Setting<VmKind> VM_KIND = setting(
            "vm.kind",
            ValueTypes.word(List.of(VmKind.values())),
            VmKind.AUTO,
            Effect.GUEST_RESTART,
            "What the guest runs on: QEMU where KVM works, else User-mode Linux; or one of them.");

    public static final Setting<Integer> CPUS = setting(
            "cpus",
            ValueTypes.whole(0, 64),
            0,
            Effect.GUEST_RESTART,
            "Processors of the guest; 0 for as many as the host has. User-mode Linux has one.",
            "vm.cpus");

    public static final Setting<Integer> MEMORY_MIB = setting(
            "memoryMiB",
            ValueTypes.whole(256, 262_144),
            1024,
            Effect.GUEST_RESTART,
            "Memory of the guest, in MiB; the host pays for what the guest has touched.",
            "vm.memoryMiB");

    public static final Setting<Integer> SWAP_MIB = inert(
            "swapMiB",
            ValueTypes.whole(0, 65_536),
            0,
            "the guest has no swap",
            "Swap of the guest, in MiB.",
            "vm.swapMiB");

    public static final Setting<Integer> DISK_SIZE_MIB = setting(
            "diskSizeMiB",
            ValueTypes.whole(1_024, 16_777_216),
            64 * 1024,
            Effect.GUEST_RESTART,
            "Size of the data disk, a sparse file, in MiB; it grows to a larger one, and never shrinks.",
            "vm.diskSizeMiB");

    public static final Setting<Boolean> UML_SECCOMP = setting(
            "vm.umlSeccomp",
            ValueTypes.BOOL,
            false,
            Effect.GUEST_RESTART,
            "Faster User-mode Linux whose containers can take over the daemon's user: for trusted containers only.");

    public static final Setting<Boolean> DOCKER_VMM = inert(
            "useLibkrun",
            ValueTypes.BOOL,
            false,
            "Docker VMM is for Macs with Apple silicon; vm.kind says what the guest runs on",
            "Docker VMM as the virtual machine manager; needs a memoryMiB of " + DOCKER_VMM_MEMORY_MIB + ".");

    public static final Setting<Boolean> APPLE_VIRTUALIZATION = inert(
            "useVirtualizationFramework",
            ValueTypes.BOOL,
            false,
            "there is no such framework on this host; vm.kind says what the guest runs on",
            "Apple's Virtualization framework as the virtual machine manager.");

    // ---- the network

    public static final Setting<NetworkingMode> NETWORKING_MODE = setting(
            "defaultNetworkingMode",
            ValueTypes.word(List.of(NetworkingMode.values())),
            NetworkingMode.DUAL_STACK,
            Effect.LIVE,
            "Which families the guest reaches the world by. Another mode sets dnsInhibition back to auto.");

    public static final Setting<DnsFilter> DNS_FILTER = setting(
            "dnsInhibition",
            ValueTypes.word(List.of(DnsFilter.values())),
            DnsFilter.AUTO,
            Effect.LIVE,
            "Which address records are kept from containers: ipv4 (A), ipv6 (AAAA), none, or auto for those that the host"
                    + " or the networking mode has no way for.");

    public static final Setting<Ipv4Subnet> SUBNET = new Setting<>(
            "vpnkitCIDR",
            List.of("network.subnet"),
            List.of("linuxVM.vpnkitCIDR"),
            ValueTypes.text(SettingTable::subnet, "^[0-9]{1,3}(\\.[0-9]{1,3}){3}/(1[6-9]|2[0-4])$"),
            Ipv4Subnet.parse("192.168.65.0/24"),
            Effect.GUEST_RESTART,
            "",
            "Subnet of the guest's network, /16 to /24.");

    public static final Setting<Boolean> MOVE_SUBNET = setting(
            "network.moveSubnet",
            ValueTypes.BOOL,
            true,
            Effect.GUEST_RESTART,
            "Take another subnet where a route of the host overlaps this one.");

    public static final Setting<Integer> MTU = setting(
            "vpnKitMTU",
            ValueTypes.whole(576, 65_520),
            1500,
            Effect.GUEST_RESTART,
            "MTU of the guest's link, in bytes.",
            "network.mtu");

    public static final Setting<List<InetAddress>> DNS_SERVERS = setting(
            "network.dnsServers",
            ValueTypes.addresses(true),
            List.of(),
            Effect.LIVE,
            "Resolvers to ask instead of the host's; empty for the host's.");

    public static final Setting<List<String>> DNS_ROUTES = setting(
            "network.dnsRoutes",
            ValueTypes.texts(text -> DomainServer.parse(text).toString()),
            List.of(),
            Effect.LIVE,
            "Name servers for domains and everything below them, each DOMAIN=ADDRESS or DOMAIN=ADDRESS:PORT; the longest domain"
                    + " counts, and several servers of one are asked in turn.");

    public static final Setting<Boolean> PING = setting(
            "network.ping",
            ValueTypes.BOOL,
            true,
            Effect.GUEST_RESTART,
            "Let the guest ping beyond, by the host's unprivileged ping sockets.");

    public static final Setting<String> PCAP_FILE = setting(
            "network.pcapFile",
            ValueTypes.text(SettingTable::absolutePathOrEmpty, "^(/.*)?$"),
            "",
            Effect.GUEST_RESTART,
            "An absolute path: all frames of the link are recorded there; empty for none.");

    public static final Setting<Ipv6Mode> IPV6 = setting(
            "network.ipv6",
            ValueTypes.word(List.of(Ipv6Mode.values())),
            Ipv6Mode.AUTO,
            Effect.GUEST_RESTART,
            "IPv6 of the guest's network: none (off), a route to the Internet if the host has one (auto) or always (on).");

    public static final Setting<Boolean> HOST_NETWORKING = setting(
            "hostNetworkingEnabled",
            ValueTypes.BOOL,
            false,
            Effect.LIVE,
            "Host networking: docker run --net=host reaches, and is reached on, the host's loopback.");

    public static final Setting<EgressPolicy> EGRESS_POLICY = setting(
            "egressPolicy",
            new EgressType(),
            EgressPolicy.NONE,
            Effect.LIVE,
            "What the guest and its containers may begin with the world: rules of which the first that fits decides, and a"
                    + " default; see the manual of the module policy.");

    // ---- published ports

    public static final Setting<PortBinding> PORT_BINDING = setting(
            "portBindingBehavior",
            ValueTypes.word(List.of(PortBinding.values())),
            PortBinding.DEFAULT_PORT_BINDING,
            Effect.LIVE,
            "Where published ports are bound: all addresses unless one is given, the loopback unless one is given, or the"
                    + " loopback whatever is given.",
            "ports.binding");

    public static final Setting<List<InetAddress>> ALLOWED_BIND_ADDRESSES = setting(
            "vpnKitAllowedBindAddresses",
            ValueTypes.addresses(false),
            List.of(anyIpv4()),
            Effect.LIVE,
            "The host's addresses that published ports may be bound to; 0.0.0.0 for any.",
            "ports.allowedBindAddresses");

    // ---- proxies

    public static final Setting<ProxyMode> PROXY_MODE = setting(
            "proxy.mode",
            ValueTypes.word(List.of(ProxyMode.SYSTEM, ProxyMode.MANUAL, ProxyMode.NONE)),
            ProxyMode.SYSTEM,
            Effect.LIVE,
            "The daemon's proxy: the host's (system), the one of this group (manual), or none.",
            "proxyHTTPMode");

    public static final Setting<Secret> PROXY_HTTP =
            proxyUrl("proxy.http", "Proxy for HTTP, as in http://user:password@host:3128.", "overrideProxyHTTP");
    public static final Setting<Secret> PROXY_HTTPS =
            proxyUrl("proxy.https", "Proxy for HTTPS and everything else that is tunnelled.", "overrideProxyHTTPS");
    public static final Setting<List<String>> PROXY_EXCLUDE = exclude("proxy.exclude", "overrideProxyExclude");
    public static final Setting<Secret> PROXY_PAC = pac("proxy.pac", "overrideProxyPAC");
    public static final Setting<Secret> PROXY_EMBEDDED_PAC = embeddedPac("proxy.embeddedPac");

    public static final Setting<Boolean> PROXY_KERBEROS = setting(
            "proxy.enableKerberosNtlm",
            ValueTypes.BOOL,
            false,
            Effect.LIVE,
            "Answer a proxy that asks who is there by Kerberos, with the user's ticket, or by NTLM, too.",
            "proxyEnableKerberosNTLM");

    public static final Setting<Boolean> PROXY_AUDIT = setting(
            "proxy.auditLog",
            ValueTypes.BOOL,
            false,
            Effect.LIVE,
            "Write a line of JSON for each request and tunnel through the proxy to log/proxy-audit.jsonl: who, where to, which way, how"
                    + " much; no queries, fields and bodies.");

    public static final Setting<Integer> PROXY_AUDIT_SAMPLE = setting(
            "proxy.auditSample",
            ValueTypes.whole(1, 1_000_000),
            1,
            Effect.LIVE,
            "Of what went well, one in so many gets a line in log/proxy-audit.jsonl; what was refused or failed always"
                    + " does.");

    public static final Setting<ProxyScheme> PROXY_AUTH_SCHEME = setting(
            "proxy.authScheme",
            ValueTypes.word(List.of(ProxyScheme.values())),
            ProxyScheme.AUTO,
            Effect.LIVE,
            "The only scheme to answer a proxy with that asks who is there; auto for the strongest one that can be"
                    + " used.");

    public static final Setting<String> PROXY_KEYTAB = setting(
            "proxy.kerberosKeytab",
            ValueTypes.text(ProxyValues::keytab, "^([^=/ ][^= ]*=/.+)?$"),
            "",
            Effect.LIVE,
            "Keys for Kerberos in place of the user's ticket: PRINCIPAL=FILE, as in"
                    + " svc@EXAMPLE.COM=/home/me/svc.keytab.");

    public static final Setting<Boolean> PROXY_PASS_AUTHORIZATION = setting(
            "proxy.passAuthorization",
            ValueTypes.BOOL,
            false,
            Effect.LIVE,
            "Give a container's own Proxy-Authorization to upstream proxies, and their questions to the container.");

    public static final Setting<Boolean> PROXY_VIA = setting(
            "proxy.via",
            ValueTypes.BOOL,
            true,
            Effect.LIVE,
            "Say in Via that a message came through this proxy (RFC 9110); without it, loops of proxies are not"
                    + " noticed.");

    public static final Setting<Boolean> PROXY_AUTO_DETECT = setting(
            "proxy.autoDetect",
            ValueTypes.BOOL,
            false,
            Effect.LIVE,
            "Where the host is set to find its proxy by itself, fetch http://wpad/wpad.dat, as it does (WPAD). Whoever answers to that name"
                    + " in the network decides where requests go.");

    public static final Setting<Integer> PROXY_TUNNEL_IDLE = setting(
            "proxy.tunnelIdleMinutes",
            ValueTypes.whole(0, 100_000),
            0,
            Effect.LIVE,
            "Reset tunnels through the proxy (CONNECT, WebSocket, taken connections) in which nothing has moved for so long; 0 for never:"
                    + " TCP's keep-alive finds out who is gone.");

    public static final Setting<ProxyMode> CONTAINERS_PROXY_MODE = setting(
            "containersProxy.mode",
            ValueTypes.word(
                    mode -> mode == ProxyMode.LIKE_HOST ? "" : ValueTypes.wordOf(mode),
                    List.of(ProxyMode.LIKE_HOST, ProxyMode.SYSTEM, ProxyMode.MANUAL, ProxyMode.NONE)),
            ProxyMode.LIKE_HOST,
            Effect.LIVE,
            "The containers' proxy: what proxy says (empty), the host's (system), this group's (manual), or none.",
            "containersProxyHTTPMode");

    public static final Setting<Secret> CONTAINERS_PROXY_HTTP =
            proxyUrl("containersProxy.http", "The containers' proxy for HTTP.", "containersOverrideProxyHTTP");
    public static final Setting<Secret> CONTAINERS_PROXY_HTTPS =
            proxyUrl("containersProxy.https", "The containers' proxy for HTTPS.", "containersOverrideProxyHTTPS");
    public static final Setting<List<String>> CONTAINERS_PROXY_EXCLUDE =
            exclude("containersProxy.exclude", "containersOverrideProxyExclude");
    public static final Setting<Secret> CONTAINERS_PROXY_PAC = pac("containersProxy.pac", "containersOverrideProxyPAC");
    public static final Setting<Secret> CONTAINERS_PROXY_EMBEDDED_PAC = embeddedPac("containersProxy.embeddedPac");

    public static final Setting<String> CONTAINERS_PROXY_TRANSPARENT_PORTS = setting(
            "containersProxy.transparentPorts",
            ValueTypes.text(ProxyValues::transparentPorts, "^(\\*|[0-9]{1,5}(, ?[0-9]{1,5})*)?$"),
            "80,443",
            Effect.LIVE,
            "TCP ports of remotes whose connections go through the proxy unasked: 80,443, or * for all; empty for none.",
            "containersOverrideProxyTransparentPorts");

    public static final Setting<List<String>> CERTIFICATE_AUTHORITIES = setting(
            "certificateAuthorities",
            ValueTypes.texts(SettingTable::absolutePath),
            List.of(),
            Effect.LIVE,
            "Files of certificates (PEM) of authorities that are trusted besides the host's store: by the Engine for registries, and for"
                    + " proxies that are spoken to by TLS. The Engine is restarted for a change, under its containers, when no docker command"
                    + " is under way.");

    // ---- files and the Engine

    public static final Setting<List<String>> FILE_SHARING = new Setting<>(
            "filesharingDirectories",
            List.of("filesharingAllowedDirectories"),
            List.of(),
            ValueTypes.texts(SharedPaths::check),
            List.of("$HOME", "$TMP"),
            Effect.LIVE,
            "",
            "Folders of the host that containers may mount, with what is below them; $HOME, $TMP and $TEMP are replaced.");

    public static final Setting<List<String>> FILE_SHARING_ACCESSOR = setting(
            "filesharingAccessorDirectories",
            ValueTypes.texts(SharedPaths::check),
            List.of(),
            Effect.LIVE,
            "Folders of the host in which every file, but for those whose owner was changed, seems to belong to whoever looks at it in a"
                    + " container; $HOME, $TMP and $TEMP are replaced.");

    public static final Setting<Boolean> FILE_SHARING_EVENTS = setting(
            "filesharingEvents",
            ValueTypes.BOOL,
            true,
            Effect.LIVE,
            "Tell containers that watch mounted folders (inotify) what changes there on the host.");

    public static final Setting<Boolean> CONTAINERD_SNAPSHOTTER = setting(
            "useContainerdSnapshotter",
            ValueTypes.BOOL,
            false,
            Effect.GUEST_RESTART,
            "containerd's image store instead of the Engine's own, as for images of several platforms. Images and containers of the"
                    + " store that is not in use are not shown; they stay on the data disk, and come back with their store.");

    public static final Setting<Boolean> EXPOSE_TCP_2375 = new Setting<>(
            "exposeDockerAPIOnTCP2375",
            List.of(),
            List.of(),
            ValueTypes.BOOL,
            false,
            Effect.UNSUPPORTED,
            "the Docker API is on the Unix socket only, since whoever reaches a TCP port without TLS has the host's containers",
            "The Docker API on a TCP port.");

    // ---- the control API beyond this machine

    public static final Setting<String> CONTROL_LISTEN = setting(
            "control.listen",
            ValueTypes.text(SettingTable::addressAndPort, "^(([0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5})?$"),
            "",
            Effect.LIVE,
            "An address and port, as in 127.0.0.1:9443: the control API listens there too, by TLS, for clients that show a"
                    + " certificate; empty for the socket alone. Whoever may call it has the daemon's user.");

    public static final Setting<String> CONTROL_CERTIFICATE = path(
            "control.certificate",
            "A PEM file: the certificate that control.listen shows, with those that lead to its root.");
    public static final Setting<String> CONTROL_KEY =
            path("control.key", "A PEM file: the private key of control.certificate, in PKCS #8, without a password.");
    public static final Setting<String> CONTROL_CLIENT_CA = path(
            "control.clientCa",
            "A PEM file: the roots of the certificates that clients of control.listen have to show.");

    // ---- bounds

    public static final Setting<Integer> TCP_FLOWS = setting(
            "limits.tcpFlows",
            ValueTypes.whole(16, 1_000_000),
            16_384,
            Effect.GUEST_RESTART,
            "TCP flows of the guest at a time.");

    public static final Setting<Integer> UDP_FLOWS = setting(
            "limits.udpFlows",
            ValueTypes.whole(16, 1_000_000),
            4_096,
            Effect.GUEST_RESTART,
            "UDP flows of the guest at a time.");

    public static final Setting<Integer> PUBLISHED_PORTS = setting(
            "limits.publishedPorts",
            ValueTypes.whole(1, 65_535),
            2_048,
            Effect.GUEST_RESTART,
            "Published ports at a time.");

    public static final Setting<Integer> LOG_MIB = setting(
            "limits.logMiB",
            ValueTypes.whole(1, 10_000),
            100,
            Effect.GUEST_RESTART,
            "How much of the guest's console is kept, in MiB.");

    /** All of them. */
    public static final List<Setting<?>> ALL = List.of(
            VM_KIND,
            CPUS,
            MEMORY_MIB,
            SWAP_MIB,
            DISK_SIZE_MIB,
            UML_SECCOMP,
            DOCKER_VMM,
            APPLE_VIRTUALIZATION,
            NETWORKING_MODE,
            DNS_FILTER,
            SUBNET,
            MOVE_SUBNET,
            MTU,
            DNS_SERVERS,
            DNS_ROUTES,
            PING,
            PCAP_FILE,
            IPV6,
            HOST_NETWORKING,
            EGRESS_POLICY,
            PORT_BINDING,
            ALLOWED_BIND_ADDRESSES,
            PROXY_MODE,
            PROXY_HTTP,
            PROXY_HTTPS,
            PROXY_EXCLUDE,
            PROXY_PAC,
            PROXY_EMBEDDED_PAC,
            PROXY_KERBEROS,
            PROXY_AUDIT,
            PROXY_AUDIT_SAMPLE,
            PROXY_AUTH_SCHEME,
            PROXY_KEYTAB,
            PROXY_PASS_AUTHORIZATION,
            PROXY_VIA,
            PROXY_AUTO_DETECT,
            PROXY_TUNNEL_IDLE,
            CONTAINERS_PROXY_MODE,
            CONTAINERS_PROXY_HTTP,
            CONTAINERS_PROXY_HTTPS,
            CONTAINERS_PROXY_EXCLUDE,
            CONTAINERS_PROXY_PAC,
            CONTAINERS_PROXY_EMBEDDED_PAC,
            CONTAINERS_PROXY_TRANSPARENT_PORTS,
            CERTIFICATE_AUTHORITIES,
            FILE_SHARING,
            FILE_SHARING_ACCESSOR,
            FILE_SHARING_EVENTS,
            CONTAINERD_SNAPSHOTTER,
            EXPOSE_TCP_2375,
            CONTROL_LISTEN,
            CONTROL_CERTIFICATE,
            CONTROL_KEY,
            CONTROL_CLIENT_CA,
            TCP_FLOWS,
            UDP_FLOWS,
            PUBLISHED_PORTS,
            LOG_MIB);

    private SettingTable() {}

    /** By any name that {@code settings.json} may have for it; the first letter's case does not matter. */
    public static Optional<Setting<?>> find(String name) {
        return ALL.stream()
                .filter(s -> KeyTree.sameName(s.key(), name)
                        || s.spellings().stream().anyMatch(spelling -> KeyTree.sameName(spelling, name)))
                .findFirst();
    }

    /** A note on what was probably meant; empty if nothing is close. */
    public static String hint(String name) {
        return Words.hint(
                name,
                ALL.stream().map(Setting::key).sorted(Comparator.naturalOrder()).toList());
    }

    private static <T> Setting<T> setting(
            String key, ValueType<T> type, T fallback, Effect effect, String description, String... spellings) {
        return new Setting<>(key, List.of(spellings), List.of(), type, fallback, effect, "", description);
    }

    /** One that nothing acts on yet. */
    private static <T> Setting<T> inert(
            String key, ValueType<T> type, T fallback, String why, String description, String... spellings) {
        return new Setting<>(key, List.of(spellings), List.of(), type, fallback, Effect.NONE_YET, why, description);
    }

    private static Setting<String> path(String key, String description) {
        return setting(
                key, ValueTypes.text(SettingTable::absolutePathOrEmpty, "^(/.*)?$"), "", Effect.LIVE, description);
    }

    private static Setting<Secret> proxyUrl(String key, String description, String spelling) {
        return setting(
                key,
                ValueTypes.secret(ProxyValues::proxyUrl, "^(((https?|socks(4a?|5h?))://)?[^/?# ]+(:[0-9]+)?/?)?$"),
                Secret.EMPTY,
                Effect.LIVE,
                description,
                spelling);
    }

    private static Setting<List<String>> exclude(String key, String spelling) {
        return setting(
                key,
                ValueTypes.texts(ProxyValues::excluded),
                List.of(),
                Effect.LIVE,
                "Hosts reached without the proxy: names (and what is below them), *.domains, networks such as 10.0.0.0/8,"
                        + " <local> for names without a dot, each with :port if wanted; * for all.",
                spelling);
    }

    private static Setting<Secret> pac(String key, String spelling) {
        return setting(
                key,
                ValueTypes.secret(ProxyValues::pacUrl, "^((https?|file)://.+|data:.+)?$"),
                Secret.EMPTY,
                Effect.LIVE,
                "URL of a proxy auto-configuration script (http, https, file or data); counts before http, https and exclude.",
                spelling);
    }

    private static Setting<Secret> embeddedPac(String key) {
        return setting(
                key,
                ValueTypes.secret(ProxyValues::script, ""),
                Secret.EMPTY,
                Effect.LIVE,
                "A proxy auto-configuration script itself; counts before http, https, exclude and pac.");
    }

    private static Ipv4Subnet subnet(String text) {
        Ipv4Subnet subnet = Ipv4Subnet.parse(text);
        if (subnet.prefix() < 16 || subnet.prefix() > 24) {
            throw new IllegalArgumentException("must be a /16 to /24, so that all its places fit and it stays private");
        }
        return subnet;
    }

    private static String addressAndPort(String text) {
        if (!text.isEmpty()) {
            InetSocketAddress _ = Settings.ControlListener.parse(text);
        }
        return text;
    }

    private static String absolutePath(String text) {
        if (!text.startsWith("/")) {
            throw new IllegalArgumentException("must be a list of absolute paths");
        }
        return text;
    }

    private static String absolutePathOrEmpty(String text) {
        if (!text.isEmpty() && !text.startsWith("/")) {
            throw new IllegalArgumentException("must be an absolute path, or empty");
        }
        return text;
    }

    private static InetAddress anyIpv4() {
        return Inet4Address.ofLiteral("0.0.0.0");
    }
}
