package dev.longshore.virtio.vsock;

import static dev.longshore.virtio.vsock.StreamState.CLOSED;
import static dev.longshore.virtio.vsock.StreamState.CLOSING;
import static dev.longshore.virtio.vsock.StreamState.ESTABLISHED;
import static dev.longshore.virtio.vsock.StreamState.REQUESTED;
import static dev.longshore.virtio.vsock.StreamState.RESETTING;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Virtio 1.2, 5.10.6.4 to 5.10.6.6. */
class StreamStateTest {
    @Test
    void request_response_isEstablished_aSecondOneIsABreach() {
        assertEquals(ESTABLISHED, REQUESTED.onResponse());
        assertEquals(RESETTING, ESTABLISHED.onResponse());
        assertEquals(CLOSING, CLOSING.onResponse());
    }

    @Test
    void hostCloses_waitsForTheGuest_abortsAtOnce() {
        assertEquals(CLOSING, ESTABLISHED.onHostClose(false));
        assertEquals(RESETTING, ESTABLISHED.onHostClose(true));
        assertEquals(RESETTING, REQUESTED.onHostClose(false));
        assertEquals(CLOSING, CLOSING.onHostClose(true));
    }

    @ParameterizedTest
    @EnumSource
    void everyState_guestClosesOrFails_endsInReset(StreamState state) {
        StreamState end = state == CLOSED ? CLOSED : RESETTING;
        assertEquals(end, state.onShutdownOfBoth());
        assertEquals(end, state.onFailure());
    }

    @Test
    void closed_staysClosed() {
        assertSame(CLOSED, CLOSED.onResponse());
        assertSame(CLOSED, CLOSED.onHostClose(true));
        assertSame(CLOSED, CLOSED.onHostClose(false));
    }
}
