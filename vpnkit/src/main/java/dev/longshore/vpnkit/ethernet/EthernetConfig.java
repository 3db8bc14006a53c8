package dev.longshore.vpnkit.ethernet;

/**
 * What the link layer must know of the address plan. Immutable.
 *
 * @param ourMac the MAC address of all our own addresses
 * @param guestMac where the guest is until it is heard
 * @param ourAddresses IPv4, each answered by ARP
 * @param network the subnet's first address
 * @param mask the subnet's mask
 */
@SuppressWarnings("ArrayRecordComponent") // made once, never compared, never given away
public record EthernetConfig(long ourMac, long guestMac, int[] ourAddresses, int network, int mask) {}
