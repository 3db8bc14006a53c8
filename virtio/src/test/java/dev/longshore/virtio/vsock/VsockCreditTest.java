package dev.longshore.virtio.vsock;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Virtio 1.2, 5.10.6.3, buffer space management: the arithmetic of both directions. */
class VsockCreditTest {
    private static final int NEAR_WRAP = -3000;

    @Test
    void counters_crossZero_windowIsTheSame() {
        SendCredit credit = new SendCredit(NEAR_WRAP);
        assertTrue(credit.onGuest(4000, NEAR_WRAP));
        assertEquals(4000, credit.available());
        credit.onSent(4000);
        assertEquals(0, credit.available());
        assertTrue(credit.onGuest(4000, NEAR_WRAP + 3500));
        assertEquals(3500, credit.available());
    }

    @Test
    void guest_acknowledgesMoreThanSent_isALie() {
        SendCredit credit = new SendCredit(NEAR_WRAP);
        assertTrue(credit.onGuest(4000, NEAR_WRAP));
        credit.onSent(10);
        assertFalse(credit.onGuest(4000, NEAR_WRAP + 11));
        assertEquals(3990, credit.available());
    }

    @Test
    void guest_takesAcknowledgementBack_isALie() {
        SendCredit credit = new SendCredit(0);
        assertTrue(credit.onGuest(4000, 0));
        credit.onSent(10);
        assertTrue(credit.onGuest(4000, 10));
        assertFalse(credit.onGuest(4000, 9));
    }

    @Test
    void guest_shrinksItsBufferBelowWhatIsUnderWay_leavesNothing() {
        SendCredit credit = new SendCredit(0);
        assertTrue(credit.onGuest(4000, 0));
        credit.onSent(3000);
        assertTrue(credit.onGuest(100, 0));
        assertEquals(0, credit.available());
    }

    @Test
    void guest_claimsAHugeBuffer_isBounded() {
        SendCredit credit = new SendCredit(0);
        assertTrue(credit.onGuest(-1, 0));
        assertEquals(SendCredit.MAX_WINDOW, credit.available());
        credit.onSent(SendCredit.MAX_WINDOW);
        assertEquals(0, credit.available());
        assertTrue(credit.onGuest(-1, SendCredit.MAX_WINDOW));
        assertEquals(SendCredit.MAX_WINDOW, credit.available());
    }

    @Test
    void receiver_quarterLeft_updateIsDueOnceSomethingWasRead() {
        ReceiveCredit credit = new ReceiveCredit(1000, NEAR_WRAP);
        assertTrue(credit.onReceived(751));
        assertFalse(credit.updateDue());
        credit.onConsumed(1);
        assertTrue(credit.updateDue());
        assertEquals(NEAR_WRAP + 1, credit.tell());
        assertFalse(credit.updateDue());
        assertEquals(250, credit.guestsView());
    }

    @Test
    void receiver_moreThanGranted_isRefused() {
        ReceiveCredit credit = new ReceiveCredit(1000, NEAR_WRAP);
        assertTrue(credit.onReceived(1000));
        credit.onConsumed(1000); // free, but the guest was not told
        assertFalse(credit.onReceived(1));
        credit.tell();
        assertTrue(credit.onReceived(1000));
    }

    /** hyperkit, libkrun: credit lost, or counted by the wrong end's buffer. Two ends with each other's numbers, seeded: never over it, never stuck. */
    @Test
    void bothEnds_randomTraffic_agree() {
        for (int seed = 0; seed < 50; seed++) {
            Random random = new Random(seed);
            int start = -random.nextInt(200_000);
            int alloc = 4 + random.nextInt(5000);
            SendCredit send = new SendCredit(start);
            ReceiveCredit receive = new ReceiveCredit(alloc, start);
            send.onGuest(alloc, start);
            long moved = 0;
            while (moved < 400_000) {
                int n = Math.min(send.available(), 1 + random.nextInt(alloc));
                send.onSent(n);
                assertTrue(receive.onReceived(n), "seed " + seed);
                moved += n;
                int unread = receive.unread();
                receive.onConsumed(unread == 0 ? 0 : random.nextInt(unread + 1));
                if (receive.updateDue() || random.nextInt(10) == 0) {
                    assertTrue(send.onGuest(receive.bufAlloc(), receive.tell()), "seed " + seed);
                }
                assertEquals(receive.guestsView(), send.available(), "seed " + seed);
            }
        }
    }
}
