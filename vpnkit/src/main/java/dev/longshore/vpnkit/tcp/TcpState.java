package dev.longshore.vpnkit.tcp;

/**
 * The state diagram of RFC 9293 §3.3.2, Figure 5: one total function for each event, without effects.
 *
 * <p>LISTEN is a flow whose SYN has come and whose host is being dialed: it answers nothing yet.
 */
public enum TcpState {
    CLOSED,
    LISTEN,
    SYN_SENT,
    SYN_RECEIVED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    CLOSE_WAIT,
    CLOSING,
    LAST_ACK,
    TIME_WAIT;

    /** The host is connected: our SYN-ACK may go out. */
    TcpState onHostConnected() {
        return switch (this) {
            case LISTEN -> SYN_RECEIVED;
            case CLOSED,
                    SYN_SENT,
                    SYN_RECEIVED,
                    ESTABLISHED,
                    FIN_WAIT_1,
                    FIN_WAIT_2,
                    CLOSE_WAIT,
                    CLOSING,
                    LAST_ACK,
                    TIME_WAIT -> throw new IllegalStateException("dialed in " + this);
        };
    }

    /** The guest acknowledged our SYN: §3.10.7.3 (SYN-ACK) and §3.10.7.4, fifth step. */
    TcpState onSynAcked() {
        return switch (this) {
            case SYN_SENT, SYN_RECEIVED -> ESTABLISHED;
            case CLOSED, LISTEN, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT ->
                throw new IllegalStateException("SYN acknowledged in " + this);
        };
    }

    /** A SYN without ACK crossed ours: simultaneous open, §3.10.7.3. */
    TcpState onCrossingSyn() {
        return switch (this) {
            case SYN_SENT -> SYN_RECEIVED;
            case CLOSED,
                    LISTEN,
                    SYN_RECEIVED,
                    ESTABLISHED,
                    FIN_WAIT_1,
                    FIN_WAIT_2,
                    CLOSE_WAIT,
                    CLOSING,
                    LAST_ACK,
                    TIME_WAIT -> throw new IllegalStateException("crossing SYN in " + this);
        };
    }

    /** The host has nothing more to send: the CLOSE call of §3.10.4. Before ESTABLISHED it waits for that. */
    TcpState onHostEof() {
        return switch (this) {
            case ESTABLISHED -> FIN_WAIT_1;
            case CLOSE_WAIT -> LAST_ACK;
            case CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, LAST_ACK, TIME_WAIT -> this;
        };
    }

    /** After a FIN at RCV.NXT: §3.10.7.4, eighth step. */
    TcpState onFin(boolean ourFinAcked) {
        return switch (this) {
            case SYN_RECEIVED, ESTABLISHED -> CLOSE_WAIT;
            case FIN_WAIT_1 -> ourFinAcked ? TIME_WAIT : CLOSING;
            case FIN_WAIT_2 -> TIME_WAIT;
            case CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT -> this; // a second FIN: the guest's fault, ignored
            case CLOSED, LISTEN, SYN_SENT -> throw new IllegalStateException("FIN let through in " + this);
        };
    }

    /** The guest acknowledged our FIN: §3.10.7.4, fifth step. */
    TcpState onFinAcked() {
        return switch (this) {
            case FIN_WAIT_1 -> FIN_WAIT_2;
            case CLOSING -> TIME_WAIT;
            case LAST_ACK -> CLOSED;
            case FIN_WAIT_2, TIME_WAIT -> this; // again
            case CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, CLOSE_WAIT ->
                throw new IllegalStateException("FIN acknowledged in " + this);
        };
    }

    /** Both SYNs have been exchanged and acknowledged: §3.3.2 calls these synchronized. */
    boolean isSynchronized() {
        return switch (this) {
            case ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT -> true;
            case CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED -> false;
        };
    }

    /** Segment text is accepted: §3.10.7.4, seventh step. */
    boolean takesText() {
        return switch (this) {
            case ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2 -> true;
            case CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, CLOSE_WAIT, CLOSING, LAST_ACK, TIME_WAIT -> false;
        };
    }

    /** Data or a FIN of ours may be sent or sent again. */
    boolean sendsText() {
        return switch (this) {
            case ESTABLISHED, FIN_WAIT_1, CLOSE_WAIT, CLOSING, LAST_ACK -> true;
            case CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, FIN_WAIT_2, TIME_WAIT -> false;
        };
    }
}
