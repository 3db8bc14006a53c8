package dev.longshore.virtio.vsock;

/**
 * How much the guest may send on one stream: virtio 1.2, 5.10.6.3. Confined to the device's event loop.
 *
 * <p>Counters are modulo 2^32. Invariant: {@code 0 <= fwdCnt - told <= rxCnt - told <= bufAlloc}: the guest never has more
 * under way and unread than it was granted.
 */
final class ReceiveCredit {
    private final int bufAlloc;
    private int rxCnt;
    private int fwdCnt;
    private int told;

    /** Counters that start at {@code count} instead of 0, for tests of the wrap-around. */
    ReceiveCredit(int bufAlloc, int count) {
        this.bufAlloc = bufAlloc;
        rxCnt = count;
        fwdCnt = count;
        told = count;
    }

    /** Counts received bytes. False, without effect, if the guest sent more than it knew to be free. */
    boolean onReceived(int bytes) {
        if (bytes > guestsView()) {
            return false;
        }
        rxCnt += bytes;
        return true;
    }

    /** The stream's reader took {@code bytes}: they are free again, and the guest hears of it with the next packet. */
    void onConsumed(int bytes) {
        fwdCnt += bytes;
        assert rxCnt - fwdCnt >= 0;
    }

    /** Free bytes as the guest knows it. */
    int guestsView() {
        return bufAlloc - (rxCnt - told);
    }

    /** Bytes received and not consumed. */
    int unread() {
        return rxCnt - fwdCnt;
    }

    /** True if the guest should hear of free space at once, since it believes less than a quarter to be left. */
    boolean updateDue() {
        return fwdCnt != told && guestsView() < bufAlloc / 4;
    }

    int bufAlloc() {
        return bufAlloc;
    }

    /** fwd_cnt for a packet that is being sent now. */
    int tell() {
        told = fwdCnt;
        return fwdCnt;
    }
}
