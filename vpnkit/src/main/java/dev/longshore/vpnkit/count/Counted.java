package dev.longshore.vpnkit.count;

/** What an enum of counters says of each of its constants, so that all of them can be exported alike. */
public interface Counted {
    /** As in {@code vpnkit.packets.dropped}. */
    String metric();

    /** Tags as {@code key=value,key=value}, or "". */
    String tags();

    /** One sentence for people. */
    String help();
}
