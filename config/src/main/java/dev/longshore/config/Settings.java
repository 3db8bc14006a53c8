package dev.longshore.config;

import java.net.InetAddress;
import java.util.List;

/**
 * Every setting of an instance, checked. Immutable; the keys of {@code settings.json} are the components' names, joined
 * by dots. Defaults are in {@link #DEFAULTS} only.
 */
public record Settings(Vm vm, Network network, Ports ports, Limits limits) {
    /** What holds without a settings file. */
    public static final Settings DEFAULTS = new Settings(
            new Vm(VmKind.AUTO, 0, 1024, 64 * 1024, false),
            new Network(Ipv4Subnet.parse("192.168.65.0/24"), true, 1500, List.of(), true, "", Ipv6Mode.AUTO),
            new Ports(PortBinding.DEFAULT_PORT_BINDING),
            new Limits(16_384, 4_096, 2_048, 100));

    /**
     * The guest's machine.
     *
     * @param kind {@code auto}, {@code uml} or {@code qemu}
     * @param cpus 1..64; 0 lets the guest's kind decide (User-mode Linux has one)
     * @param memoryMiB of the guest, 256..262144; the host pays for what the guest touched
     * @param diskSizeMiB of the data disk, a sparse file, 1024..16777216; used when it is made
     * @param umlSeccomp faster User-mode Linux whose containers can take over the daemon's user: for trusted containers only
     */
    public record Vm(VmKind kind, int cpus, int memoryMiB, int diskSizeMiB, boolean umlSeccomp) {}

    /**
     * The guest's network.
     *
     * @param subnet of the guest's network, /16 to /24
     * @param moveSubnet take another subnet where a route of the host overlaps this one
     * @param mtu 576..65520
     * @param dnsServers asked instead of the host's resolvers, if not empty
     * @param ping answer the guest's pings to the outside by the host's unprivileged ping sockets
     * @param pcapFile an absolute path: all frames of the link are recorded there; empty for none
     * @param ipv6 {@code auto}, {@code on} or {@code off}; needs an MTU of 1280
     */
    public record Network(
            Ipv4Subnet subnet,
            boolean moveSubnet,
            int mtu,
            List<InetAddress> dnsServers,
            boolean ping,
            String pcapFile,
            Ipv6Mode ipv6) {
        public Network {
            dnsServers = List.copyOf(dnsServers);
        }

        /** The same on another subnet. */
        public Network withSubnet(Ipv4Subnet other) {
            return new Network(other, moveSubnet, mtu, dnsServers, ping, pcapFile, ipv6);
        }

        public AddressPlan plan() {
            return AddressPlan.in(subnet);
        }
    }

    /**
     * Published ports.
     *
     * @param binding {@code default-port-binding}, {@code default-local-port-binding} or {@code local-only-port-binding}
     */
    public record Ports(PortBinding binding) {}

    /**
     * Bounds on what a guest can make the daemon hold.
     *
     * @param tcpFlows open at a time, 16..1000000
     * @param udpFlows open at a time, 16..1000000
     * @param publishedPorts bound at a time, 1..65535
     * @param logMiB kept of the guest's console, 1..10000
     */
    public record Limits(int tcpFlows, int udpFlows, int publishedPorts, int logMiB) {}

    /** The same with the network changed. */
    public Settings withNetwork(Network other) {
        return new Settings(vm, other, ports, limits);
    }
}
