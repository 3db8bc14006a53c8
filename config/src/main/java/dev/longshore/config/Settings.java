package dev.longshore.config;

import static dev.longshore.config.SettingTable.ALLOWED_BIND_ADDRESSES;
import static dev.longshore.config.SettingTable.CERTIFICATE_AUTHORITIES;
import static dev.longshore.config.SettingTable.CONTAINERD_SNAPSHOTTER;
import static dev.longshore.config.SettingTable.CONTAINERS_PROXY_EMBEDDED_PAC;
import static dev.longshore.config.SettingTable.CONTAINERS_PROXY_EXCLUDE;
import static dev.longshore.config.SettingTable.CONTAINERS_PROXY_HTTP;
import static dev.longshore.config.SettingTable.CONTAINERS_PROXY_HTTPS;
import static dev.longshore.config.SettingTable.CONTAINERS_PROXY_MODE;
import static dev.longshore.config.SettingTable.CONTAINERS_PROXY_PAC;
import static dev.longshore.config.SettingTable.CONTAINERS_PROXY_TRANSPARENT_PORTS;
import static dev.longshore.config.SettingTable.CONTROL_CERTIFICATE;
import static dev.longshore.config.SettingTable.CONTROL_CLIENT_CA;
import static dev.longshore.config.SettingTable.CONTROL_KEY;
import static dev.longshore.config.SettingTable.CONTROL_LISTEN;
import static dev.longshore.config.SettingTable.CPUS;
import static dev.longshore.config.SettingTable.DISK_SIZE_MIB;
import static dev.longshore.config.SettingTable.DNS_FILTER;
import static dev.longshore.config.SettingTable.DNS_ROUTES;
import static dev.longshore.config.SettingTable.DNS_SERVERS;
import static dev.longshore.config.SettingTable.EGRESS_POLICY;
import static dev.longshore.config.SettingTable.FILE_SHARING_ACCESSOR;
import static dev.longshore.config.SettingTable.FILE_SHARING_EVENTS;
import static dev.longshore.config.SettingTable.HOST_NETWORKING;
import static dev.longshore.config.SettingTable.IPV6;
import static dev.longshore.config.SettingTable.LOG_MIB;
import static dev.longshore.config.SettingTable.MEMORY_MIB;
import static dev.longshore.config.SettingTable.MOVE_SUBNET;
import static dev.longshore.config.SettingTable.MTU;
import static dev.longshore.config.SettingTable.NETWORKING_MODE;
import static dev.longshore.config.SettingTable.PCAP_FILE;
import static dev.longshore.config.SettingTable.PING;
import static dev.longshore.config.SettingTable.PORT_BINDING;
import static dev.longshore.config.SettingTable.PROXY_AUDIT;
import static dev.longshore.config.SettingTable.PROXY_AUDIT_SAMPLE;
import static dev.longshore.config.SettingTable.PROXY_AUTH_SCHEME;
import static dev.longshore.config.SettingTable.PROXY_AUTO_DETECT;
import static dev.longshore.config.SettingTable.PROXY_EMBEDDED_PAC;
import static dev.longshore.config.SettingTable.PROXY_EXCLUDE;
import static dev.longshore.config.SettingTable.PROXY_HTTP;
import static dev.longshore.config.SettingTable.PROXY_HTTPS;
import static dev.longshore.config.SettingTable.PROXY_KERBEROS;
import static dev.longshore.config.SettingTable.PROXY_KEYTAB;
import static dev.longshore.config.SettingTable.PROXY_MODE;
import static dev.longshore.config.SettingTable.PROXY_PAC;
import static dev.longshore.config.SettingTable.PROXY_PASS_AUTHORIZATION;
import static dev.longshore.config.SettingTable.PROXY_TUNNEL_IDLE;
import static dev.longshore.config.SettingTable.PROXY_VIA;
import static dev.longshore.config.SettingTable.PUBLISHED_PORTS;
import static dev.longshore.config.SettingTable.SUBNET;
import static dev.longshore.config.SettingTable.SWAP_MIB;
import static dev.longshore.config.SettingTable.TCP_FLOWS;
import static dev.longshore.config.SettingTable.UDP_FLOWS;
import static dev.longshore.config.SettingTable.UML_SECCOMP;
import static dev.longshore.config.SettingTable.VM_KIND;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;

/**
 * Every setting of an instance, checked, as those who obey them read them. Immutable. {@link SettingTable} has the names,
 * ranges and defaults.
 *
 * @param authorities files of certificates (PEM) that are trusted besides the host's store
 */
public record Settings(
        Vm vm,
        Network network,
        EgressPolicy egress,
        Ports ports,
        Limits limits,
        Proxy proxy,
        ContainersProxy containersProxy,
        EngineSettings engine,
        FileSharing fileSharing,
        ControlListener control,
        List<Path> authorities) {
    /** What holds without any file. */
    public static final Settings DEFAULTS = EffectiveSettings.defaults().settings();

    static Settings of(EffectiveSettings all, List<Path> shared) {
        return new Settings(
                new Vm(
                        all.get(VM_KIND),
                        all.get(CPUS),
                        all.get(MEMORY_MIB),
                        all.get(SWAP_MIB),
                        all.get(DISK_SIZE_MIB),
                        all.get(UML_SECCOMP)),
                new Network(
                        all.get(SUBNET),
                        all.get(MOVE_SUBNET),
                        all.get(MTU),
                        all.get(DNS_SERVERS),
                        all.get(DNS_ROUTES).stream().map(DomainServer::parse).toList(),
                        all.get(PING),
                        all.get(PCAP_FILE),
                        all.get(IPV6),
                        all.get(NETWORKING_MODE),
                        all.get(DNS_FILTER)),
                all.get(EGRESS_POLICY),
                new Ports(all.get(PORT_BINDING), all.get(ALLOWED_BIND_ADDRESSES)),
                new Limits(all.get(TCP_FLOWS), all.get(UDP_FLOWS), all.get(PUBLISHED_PORTS), all.get(LOG_MIB)),
                new Proxy(
                        all.get(PROXY_MODE),
                        all.get(PROXY_HTTP),
                        all.get(PROXY_HTTPS),
                        all.get(PROXY_EXCLUDE),
                        all.get(PROXY_PAC),
                        all.get(PROXY_EMBEDDED_PAC),
                        new ProxyLogin(
                                all.get(PROXY_KERBEROS),
                                all.get(PROXY_AUTH_SCHEME),
                                all.get(PROXY_KEYTAB),
                                all.get(PROXY_PASS_AUTHORIZATION)),
                        new ProxyAudit(all.get(PROXY_AUDIT), all.get(PROXY_AUDIT_SAMPLE)),
                        all.get(PROXY_VIA),
                        all.get(PROXY_AUTO_DETECT),
                        all.get(PROXY_TUNNEL_IDLE),
                        all.isLocked(PROXY_MODE)),
                new ContainersProxy(
                        all.get(CONTAINERS_PROXY_MODE),
                        all.get(CONTAINERS_PROXY_HTTP),
                        all.get(CONTAINERS_PROXY_HTTPS),
                        all.get(CONTAINERS_PROXY_EXCLUDE),
                        all.get(CONTAINERS_PROXY_PAC),
                        all.get(CONTAINERS_PROXY_EMBEDDED_PAC),
                        all.get(CONTAINERS_PROXY_TRANSPARENT_PORTS),
                        all.isLocked(CONTAINERS_PROXY_MODE)),
                new EngineSettings(all.get(CONTAINERD_SNAPSHOTTER), all.get(HOST_NETWORKING)),
                new FileSharing(
                        shared,
                        all.get(FILE_SHARING_ACCESSOR).stream()
                                .map(f -> SharedPaths.expand(f, SharedPaths.ofUser(System.getenv())))
                                .toList(),
                        all.get(FILE_SHARING_EVENTS)),
                new ControlListener(
                        all.get(CONTROL_LISTEN),
                        all.get(CONTROL_CERTIFICATE),
                        all.get(CONTROL_KEY),
                        all.get(CONTROL_CLIENT_CA)),
                all.get(CERTIFICATE_AUTHORITIES).stream().map(Path::of).toList());
    }

    /**
     * The guest's machine.
     *
     * @param cpus 1..64; 0 lets the guest's kind decide (User-mode Linux has one)
     * @param memoryMiB of the guest, 256..262144; the host pays for what the guest touched
     * @param swapMiB of the guest, 0..65536
     * @param diskSizeMiB of the data disk, a sparse file, 1024..16777216
     * @param umlSeccomp faster User-mode Linux whose containers can take over the daemon's user: for trusted containers only
     */
    public record Vm(VmKind kind, int cpus, int memoryMiB, int swapMiB, int diskSizeMiB, boolean umlSeccomp) {}

    /**
     * The guest's network.
     *
     * @param subnet of the guest's network, /16 to /24
     * @param moveSubnet take another subnet where a route of the host overlaps this one
     * @param mtu 576..65520
     * @param dnsServers asked instead of the host's resolvers, if not empty
     * @param dnsRoutes asked about some domains, in this order
     * @param ping answer the guest's pings to the outside by the host's unprivileged ping sockets
     * @param pcapFile an absolute path: all frames of the link are recorded there; empty for none
     * @param ipv6 needs an MTU of 1280
     * @param mode which families the guest reaches the world by
     * @param dnsFilter which address records are kept from the guest
     */
    public record Network(
            Ipv4Subnet subnet,
            boolean moveSubnet,
            int mtu,
            List<InetAddress> dnsServers,
            List<DomainServer> dnsRoutes,
            boolean ping,
            String pcapFile,
            Ipv6Mode ipv6,
            NetworkingMode mode,
            DnsFilter dnsFilter) {
        public Network {
            dnsServers = List.copyOf(dnsServers);
            dnsRoutes = List.copyOf(dnsRoutes);
        }

        /** The same on another subnet. */
        public Network withSubnet(Ipv4Subnet other) {
            return new Network(other, moveSubnet, mtu, dnsServers, dnsRoutes, ping, pcapFile, ipv6, mode, dnsFilter);
        }

        public AddressPlan plan() {
            return AddressPlan.in(subnet);
        }
    }

    /**
     * Published ports.
     *
     * @param binding where they are bound
     * @param allowedAddresses what they may be bound to; 0.0.0.0 among them allows any
     */
    public record Ports(PortBinding binding, List<InetAddress> allowedAddresses) {
        public Ports {
            allowedAddresses = List.copyOf(allowedAddresses);
        }
    }

    /**
     * Bounds on what a guest can make the daemon hold.
     *
     * @param tcpFlows open at a time, 16..1000000
     * @param udpFlows open at a time, 16..1000000
     * @param publishedPorts bound at a time, 1..65535
     * @param logMiB kept of the guest's console, 1..10000
     */
    public record Limits(int tcpFlows, int udpFlows, int publishedPorts, int logMiB) {}

    /**
     * The daemon's upstream proxy; the containers', too, as long as theirs says {@link ProxyMode#LIKE_HOST}.
     *
     * @param http a URL, or {@code host:port}; empty for none; counts with {@link ProxyMode#MANUAL}, as all below
     * @param exclude names, {@code *.domains} and networks that are reached without it
     * @param pac a script's URL, which counts before http, https and exclude; empty for none
     * @param embeddedPac a script, which counts before all of these; empty for none
     * @param via messages say that they came through us
     * @param autoDetect a host that is set to find its proxy by itself (WPAD) is followed in that
     * @param tunnelIdleMinutes after which a tunnel ends in which nothing moves, 0 (never)..100000
     * @param locked an administrator has said all of this
     */
    public record Proxy(
            ProxyMode mode,
            Secret http,
            Secret https,
            List<String> exclude,
            Secret pac,
            Secret embeddedPac,
            ProxyLogin login,
            ProxyAudit audit,
            boolean via,
            boolean autoDetect,
            int tunnelIdleMinutes,
            boolean locked) {
        public Proxy {
            exclude = List.copyOf(exclude);
        }
    }

    /**
     * How proxies hear who is there.
     *
     * @param kerberosNtlm by Kerberos and NTLM, too
     * @param keytab {@code PRINCIPAL=FILE}, or empty
     * @param passes a guest's own Proxy-Authorization goes on
     */
    public record ProxyLogin(boolean kerberosNtlm, ProxyScheme scheme, String keytab, boolean passes) {}

    /**
     * What went through the proxy.
     *
     * @param toFile it is written down
     * @param sample one in so many of what went well, from 1 on
     */
    public record ProxyAudit(boolean toFile, int sample) {}

    /**
     * The containers' upstream proxy; {@link Proxy} has the others' meaning. Manual without http and https blocks.
     *
     * @param transparentPorts {@code 80,443}, {@code *} for all, empty for none
     * @param locked an administrator has said all of this
     */
    public record ContainersProxy(
            ProxyMode mode,
            Secret http,
            Secret https,
            List<String> exclude,
            Secret pac,
            Secret embeddedPac,
            String transparentPorts,
            boolean locked) {
        public ContainersProxy {
            exclude = List.copyOf(exclude);
        }
    }

    /**
     * The Docker Engine.
     *
     * @param containerdSnapshotter containerd's image store instead of the Engine's own
     * @param hostNetworking listeners of {@code --net=host} are on the host's loopback, and the other way round
     */
    public record EngineSettings(boolean containerdSnapshotter, boolean hostNetworking) {}

    /**
     * Bind mounts.
     *
     * @param directories of the host, absolute and without {@code ..}, that containers may mount, with what is below them
     * @param accessorDirectories those in which files seem to belong to whoever asks; the same kind of paths
     * @param events whether the guest's watchers are told of changes
     */
    public record FileSharing(List<Path> directories, List<Path> accessorDirectories, boolean events) {
        public FileSharing {
            directories = List.copyOf(directories);
            accessorDirectories = List.copyOf(accessorDirectories);
        }
    }

    /**
     * The control API on TCP, by TLS with certificates on both sides. All of them are needed for it.
     *
     * @param listen as in {@code 127.0.0.1:9443} and {@code [::1]:9443}; empty for none
     * @param certificate an absolute path, or empty
     * @param key the same
     * @param clientCa the same
     */
    public record ControlListener(String listen, String certificate, String key, String clientCa) {
        /** Reads {@link #listen}; throws IllegalArgumentException, for the user, if it is none. */
        public static InetSocketAddress parse(String text) {
            int colon = text.lastIndexOf(':');
            if (colon <= 0) {
                throw new IllegalArgumentException("must be an address and a port, as in 127.0.0.1:9443 or [::1]:9443");
            }
            String address = text.substring(0, colon);
            boolean bracketed = address.startsWith("[") && address.endsWith("]");
            if (!bracketed && address.contains(":")) {
                throw new IllegalArgumentException("an IPv6 address needs brackets, as in [::1]:9443");
            }
            String literal = bracketed ? address.substring(1, address.length() - 1) : address;
            int port;
            try {
                port = Integer.parseInt(text.substring(colon + 1));
                if (port < 1 || port > 65_535) {
                    throw new NumberFormatException();
                }
            } catch (NumberFormatException e) {
                throw new IllegalArgumentException("its port must be 1 to 65535", e);
            }
            try {
                return new InetSocketAddress(InetAddress.ofLiteral(literal), port);
            } catch (IllegalArgumentException e) {
                throw new IllegalArgumentException("must be an address, not a name, and a port", e);
            }
        }
    }

    /** The same with the network changed. */
    public Settings withNetwork(Network other) {
        return new Settings(
                vm, other, egress, ports, limits, proxy, containersProxy, engine, fileSharing, control, authorities);
    }

    /** The same with another policy. */
    public Settings withEgress(EgressPolicy other) {
        return new Settings(
                vm, network, other, ports, limits, proxy, containersProxy, engine, fileSharing, control, authorities);
    }

    /** The same with the machine changed. */
    public Settings withVm(Vm other) {
        return new Settings(
                other,
                network,
                egress,
                ports,
                limits,
                proxy,
                containersProxy,
                engine,
                fileSharing,
                control,
                authorities);
    }

    /** The same with the Engine changed. */
    public Settings withEngine(EngineSettings other) {
        return new Settings(
                vm, network, egress, ports, limits, proxy, containersProxy, other, fileSharing, control, authorities);
    }
}
