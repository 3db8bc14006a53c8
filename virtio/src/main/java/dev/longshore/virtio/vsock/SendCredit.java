package dev.longshore.virtio.vsock;

/**
 * How much the guest's receive buffer of one stream still takes: virtio 1.2, 5.10.6.3. Confined to the device's event loop.
 *
 * <p>Counters are modulo 2^32. Invariant: {@code 0 <= txCnt - guestFwdCnt <= MAX_WINDOW}, since the guest may acknowledge
 * only what was sent, and we never have more than {@link #MAX_WINDOW} under way, whatever size of buffer it claims.
 */
final class SendCredit {
    /** Far above any guest's buffer (Linux: 256 KiB, settable), far below 2^31, so that the modular arithmetic is safe. */
    static final int MAX_WINDOW = 1 << 30;

    private int txCnt;
    private int guestFwdCnt;
    private int guestBufAlloc;

    /** Counters that start at {@code count} instead of 0, for tests of the wrap-around. */
    SendCredit(int count) {
        txCnt = count;
        guestFwdCnt = count;
    }

    /**
     * Takes buf_alloc and fwd_cnt of a packet of the guest.
     *
     * @return false, without effect, if the guest acknowledges bytes it was never sent
     */
    boolean onGuest(int bufAlloc, int fwdCnt) {
        if (Integer.compareUnsigned(fwdCnt - guestFwdCnt, txCnt - guestFwdCnt) > 0) {
            return false;
        }
        guestFwdCnt = fwdCnt;
        guestBufAlloc = bufAlloc < 0 || bufAlloc > MAX_WINDOW ? MAX_WINDOW : bufAlloc;
        return true;
    }

    /** Bytes that may be sent now; 0 if the guest shrank its buffer below what is under way. */
    int available() {
        return Math.max(0, guestBufAlloc - (txCnt - guestFwdCnt));
    }

    void onSent(int bytes) {
        txCnt += bytes;
        assert txCnt - guestFwdCnt >= 0 && txCnt - guestFwdCnt <= MAX_WINDOW;
    }
}
