package dev.longshore.vpnkit.tcp;

/**
 * What one guest may use. Immutable.
 *
 * @param flows at once, in any state
 * @param dials host connections being opened at once
 * @param bufferedBytes in all flows together and each way; a flow gets its share of it, within 64 KiB..1 MiB
 */
public record TcpLimits(int flows, int dials, long bufferedBytes) {
    /** Within the file descriptors a service may open (524,288 on systemd's defaults) and 256 MiB a direction. */
    public static TcpLimits defaults() {
        return new TcpLimits(32_768, 2048, 256L << 20);
    }
}
