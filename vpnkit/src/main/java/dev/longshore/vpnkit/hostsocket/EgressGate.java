package dev.longshore.vpnkit.hostsocket;

/**
 * Says of datagrams and pings whether the guest may send them to a remote; of connections a {@link Dialer} says it. What is for
 * our own services is nobody's to ask about. Confined to the link's event loop; never throws.
 */
public interface EgressGate {
    /** Nothing is ever refused. */
    EgressGate OPEN = new EgressGate() {
        @Override
        public boolean isActive() {
            return false;
        }

        @Override
        public int epoch() {
            return 0;
        }

        @Override
        public Verdict judge(
                int protocol,
                long guestHi,
                long guestLo,
                long remoteHi,
                long remoteLo,
                int remotePort,
                boolean again,
                boolean admitted) {
            return Verdict.ADMIT;
        }
    };

    enum Verdict {
        ADMIT,
        /** The guest is to be told: administratively prohibited. */
        DENY,
        /** It is not known yet whose packet it is; this one is lost, and the next one may be judged. */
        LATER
    }

    /** False while everything is admitted: then nobody need ask. */
    boolean isActive();

    /** Another number whenever earlier verdicts may not hold any more. */
    int epoch();

    /**
     * Allocates nothing but where it tells of a refusal.
     *
     * @param protocol {@link dev.longshore.packet.wire.IpProtocol}{@code .UDP}, or {@code ICMP} for pings of both families
     * @param remotePort 0 for a ping
     * @param again true if the same flow has been judged for the same remote before: then only another verdict is told of
     * @param admitted that verdict
     */
    Verdict judge(
            int protocol,
            long guestHi,
            long guestLo,
            long remoteHi,
            long remoteLo,
            int remotePort,
            boolean again,
            boolean admitted);
}
