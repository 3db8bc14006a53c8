package dev.longshore.virtio.vsock;

import static dev.longshore.virtio.vsock.VsockHeader.OP_CREDIT_REQUEST;
import static dev.longshore.virtio.vsock.VsockHeader.OP_CREDIT_UPDATE;
import static dev.longshore.virtio.vsock.VsockHeader.OP_REQUEST;
import static dev.longshore.virtio.vsock.VsockHeader.OP_RESPONSE;
import static dev.longshore.virtio.vsock.VsockHeader.OP_RST;
import static dev.longshore.virtio.vsock.VsockHeader.OP_RW;
import static dev.longshore.virtio.vsock.VsockHeader.OP_SHUTDOWN;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.longshore.virtio.vsock.ScriptedGuest.Packet;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.concurrent.Future;
import java.net.BindException;
import java.net.ConnectException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Virtio 1.2, 5.10.6: streams of either side, from opening to closing, packet by packet. */
class VsockHostTest {
    private static final int HOST_PORT = 4098;
    private static final int GUEST_PORT = 1025;

    private final ScriptedGuest guest =
            new ScriptedGuest(new VsockLimits(4, 4, 1000, 100_000, Duration.ofSeconds(5), Duration.ofSeconds(10)));
    private final VsockHost host = guest.host;
    private final Recorder seen = new Recorder();

    @AfterEach
    void endGuest() {
        guest.close();
    }

    private static ByteBuf ascii(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII);
    }

    private static byte[] bytes(int n) {
        return new byte[n];
    }

    private void opens() {
        opens(GUEST_PORT);
    }

    private void opens(int guestPort) {
        if (host.listen(HOST_PORT, seen).isSuccess()) {
            guest.run();
        }
        guest.sends(guestPort, HOST_PORT, OP_REQUEST);
        guest.receives(OP_RESPONSE);
    }

    private void sendsBytes(byte... payload) {
        guest.sends(GUEST_PORT, HOST_PORT, OP_RW, 0, guest.bufAlloc, 0, payload);
    }

    private void shutsDown(int flags) {
        guest.sends(GUEST_PORT, HOST_PORT, OP_SHUTDOWN, flags, guest.bufAlloc, 0);
    }

    // ---- opening

    @Test
    void request_listener_isAnsweredAndActive() {
        opens();
        assertThat(seen.events).containsExactly("active");
        assertEquals(new VsockAddress(3, GUEST_PORT), seen.channel().remoteAddress());
        assertEquals(new VsockAddress(2, HOST_PORT), seen.channel().localAddress());
        assertEquals(1, host.counters().get(VsockCounter.STREAMS_FROM_GUEST));
    }

    @Test
    void request_noListener_isReset() {
        guest.sends(GUEST_PORT, 99, OP_REQUEST);
        Packet rst = guest.receives(OP_RST);
        assertEquals(GUEST_PORT, rst.guestPort());
        assertEquals(99, rst.hostPort());
        assertEquals(1, host.counters().get(VsockCounter.REQUESTS_REFUSED));
    }

    @Test
    void request_again_isAViolation() {
        opens();
        guest.sends(GUEST_PORT, HOST_PORT, OP_REQUEST);
        guest.receives(OP_RST);
        assertThat(seen.events).containsExactly("active", "exception", "inactive");
        assertEquals(0, host.streams());
        assertEquals(0, host.streamsFromGuest());
    }

    @Test
    void requests_flood_isBoundedAndHostKeepsItsOwn() {
        opens(1);
        opens(2);
        opens(3);
        opens(4);
        guest.buffers = 0;
        for (int i = 5; i < 1000; i++) {
            guest.sends(i, HOST_PORT, OP_REQUEST);
        }
        assertEquals(4, host.streams());
        assertEquals(995, host.counters().get(VsockCounter.REQUESTS_OVER_LIMIT));
        assertEquals(995 - 256, host.counters().get(VsockCounter.RESETS_DROPPED));
        guest.offer(1000);
        for (int i = 0; i < 256; i++) {
            guest.receives(OP_RST);
        }
        guest.receivesNothing();
        host.connect(2375);
        guest.receives(OP_REQUEST);
    }

    /** 1,024 streams of 256 KiB each would be more than the daemon's direct memory. */
    @Test
    void manyStreams_nobodyReads_shareWhatMayBeUnread() {
        try (ScriptedGuest crowd = new ScriptedGuest()) {
            VsockLimits limits = VsockLimits.DEFAULT;
            Recorder silent = new Recorder();
            crowd.host.listen(HOST_PORT, new ChannelInitializer<>() {
                @Override
                protected void initChannel(Channel channel) {
                    channel.config().setAutoRead(false);
                    channel.pipeline().addLast(silent);
                }
            });
            crowd.run();
            List<Integer> shares = new ArrayList<>();
            for (int i = 0; i < limits.streamsFromGuest(); i++) {
                crowd.sends(1000 + i, HOST_PORT, OP_REQUEST);
                int share = crowd.receives(OP_RESPONSE).bufAlloc();
                shares.add(share);
                for (int left = share; left > 0; left -= VsockHeader.MAX_PAYLOAD) {
                    byte[] part = bytes(Math.min(left, VsockHeader.MAX_PAYLOAD));
                    crowd.sends(1000 + i, HOST_PORT, OP_RW, 0, crowd.bufAlloc, 0, part);
                }
                crowd.receivesNothing(); // no credit for what nobody took
            }
            assertThat(shares.subList(0, 20)).containsOnly(limits.bufferBytes());
            assertThat(shares).allMatch(s -> s >= limits.leastBufferBytes());
            assertThat(shares.stream().mapToInt(Integer::intValue).sum())
                    .isLessThanOrEqualTo(limits.unreadBytes() / 2 + limits.unreadBytes() / 4);
            assertEquals(0, crowd.host.counters().get(VsockCounter.VIOLATIONS));
            for (int i = 0; i < limits.streamsToGuest(); i++) { // the host's own still get something
                crowd.host.connect(2375);
                assertThat(crowd.receives(OP_REQUEST).bufAlloc()).isGreaterThanOrEqualTo(limits.leastBufferBytes());
            }
            assertThat(crowd.host.unread().granted()).isLessThanOrEqualTo(limits.unreadBytes());
            crowd.host.onDeviceDown();
            crowd.run();
            assertEquals(0, crowd.host.unread().granted());
        }
    }

    @Test
    void listen_twice_isRefusedUntilClosed() {
        VsockListener first = host.listen(HOST_PORT, seen).getNow();
        assertInstanceOf(BindException.class, host.listen(HOST_PORT, seen).cause());
        first.close();
        first.close();
        guest.sends(GUEST_PORT, HOST_PORT, OP_REQUEST);
        guest.receives(OP_RST);
        assertTrue(host.listen(HOST_PORT, seen).isSuccess());
        first.close(); // not the new one's business
        guest.sends(GUEST_PORT, HOST_PORT, OP_REQUEST);
        guest.receives(OP_RESPONSE);
    }

    @Test
    void connect_response_givesAChannelThatDoesNotRead() {
        Future<DuplexChannel> connecting = host.connect(2375);
        Packet request = guest.receives(OP_REQUEST);
        assertEquals(2375, request.guestPort());
        assertEquals(VsockHost.FIRST_PORT, request.hostPort());
        assertEquals(1000, request.bufAlloc());
        assertFalse(connecting.isDone());

        guest.sends(2375, request.hostPort(), OP_RESPONSE);
        DuplexChannel channel = connecting.getNow();
        assertTrue(channel.isActive());
        assertFalse(channel.config().isAutoRead());
        channel.pipeline().addLast(seen);
        guest.sends(2375, request.hostPort(), OP_RW, 0, 65536, 0, (byte) 'x');
        assertEquals("", seen.text());
        channel.config().setAutoRead(true);
        guest.run();
        assertEquals("x", seen.text());
    }

    @Test
    void connect_reset_isRefused() {
        Future<DuplexChannel> connecting = host.connect(2375);
        Packet request = guest.receives(OP_REQUEST);
        guest.sends(2375, request.hostPort(), OP_RST);
        assertThat(connecting.cause())
                .isInstanceOf(ConnectException.class)
                .hasMessage("Connection refused: vsock:3:2375");
        guest.receivesNothing();
        assertEquals(0, host.streamsToGuest());
    }

    @Test
    void connect_noAnswer_timesOut() {
        Future<DuplexChannel> connecting = host.connect(2375);
        guest.receives(OP_REQUEST);
        guest.advance(Duration.ofSeconds(5).minusNanos(1));
        assertFalse(connecting.isDone());
        guest.advance(Duration.ofNanos(1));
        assertInstanceOf(ConnectTimeoutException.class, connecting.cause());
        guest.receives(OP_RST);
        assertEquals(0, host.streams());
    }

    @Test
    void connect_cancelled_isReset() {
        Future<DuplexChannel> connecting = host.connect(2375);
        Packet request = guest.receives(OP_REQUEST);
        connecting.cancel(true);
        guest.receives(OP_RST);
        guest.sends(2375, request.hostPort(), OP_RESPONSE);
        guest.receives(OP_RST);
        assertEquals(0, host.streamsToGuest());
    }

    @Test
    void connect_deviceDown_failsAtOnce() {
        host.onDeviceDown();
        assertInstanceOf(ConnectException.class, host.connect(2375).cause());
    }

    @Test
    void connect_overLimit_fails() {
        for (int i = 0; i < 4; i++) {
            assertNull(host.connect(2375).cause());
        }
        assertThat(host.connect(2375).cause()).hasMessageContaining("too many");
    }

    @Test
    void answer_bytesBeforeResponse_isAViolation() {
        Future<DuplexChannel> connecting = host.connect(2375);
        Packet request = guest.receives(OP_REQUEST);
        guest.sends(2375, request.hostPort(), OP_RW, 0, 1000, 0, (byte) 1);
        assertFalse(connecting.isSuccess());
        assertTrue(connecting.isDone());
        guest.receives(OP_RST);
        assertEquals(0, host.streamsToGuest());
    }

    // ---- bytes

    @Test
    void bytes_bothWays_arrive() {
        opens();
        sendsBytes((byte) 'h', (byte) 'i');
        assertEquals("hi", seen.text());
        seen.channel().writeAndFlush(ascii("there"));
        Packet rw = guest.receives(OP_RW);
        assertEquals("there", new String(rw.payload(), StandardCharsets.US_ASCII));
        assertEquals(2, rw.fwdCnt());
    }

    @Test
    void writes_several_goInOnePacket() {
        opens();
        seen.channel().write(ascii("a"));
        seen.channel().write(ascii(""));
        ChannelFuture last = seen.channel().writeAndFlush(ascii("bc"));
        assertEquals("abc", new String(guest.receives(OP_RW).payload(), StandardCharsets.US_ASCII));
        assertTrue(last.isSuccess());
        guest.receivesNothing();
    }

    /** libkrun: what did not fit into the buffer was lost. */
    @Test
    void write_largerThanBuffer_isCutAndKeepsItsRest() {
        guest.room = 10;
        opens();
        guest.buffers = 2;
        ChannelFuture written = seen.channel().writeAndFlush(ascii("0123456789abcdefghijklm"));
        assertEquals("0123456789", new String(guest.receives(OP_RW).payload(), StandardCharsets.US_ASCII));
        assertEquals("abcdefghij", new String(guest.receives(OP_RW).payload(), StandardCharsets.US_ASCII));
        guest.receivesNothing();
        assertFalse(written.isDone());
        guest.offer(1);
        assertEquals("klm", new String(guest.receives(OP_RW).payload(), StandardCharsets.US_ASCII));
        assertTrue(written.isSuccess());
    }

    @Test
    void write_moreThanCredit_waitsAndAsksOnce() {
        guest.bufAlloc = 5;
        opens();
        ChannelFuture written = seen.channel().writeAndFlush(ascii("0123456789"));
        assertEquals(5, guest.receives(OP_RW).payload().length);
        guest.receives(OP_CREDIT_REQUEST);
        seen.channel().flush();
        guest.receivesNothing();
        guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_UPDATE, 0, 5, 3);
        assertEquals("567", new String(guest.receives(OP_RW).payload(), StandardCharsets.US_ASCII));
        guest.receives(OP_CREDIT_REQUEST);
        guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_UPDATE, 0, 5, 8);
        assertEquals("89", new String(guest.receives(OP_RW).payload(), StandardCharsets.US_ASCII));
        assertTrue(written.isSuccess());
        guest.receivesNothing();
    }

    @Test
    void writability_followsTheOutboundBuffer() {
        guest.bufAlloc = 0;
        opens();
        DuplexChannel channel = seen.channel();
        channel.write(Unpooled.wrappedBuffer(bytes(90_000)));
        channel.writeAndFlush(Unpooled.wrappedBuffer(bytes(10_000)));
        assertFalse(channel.isWritable());
        guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_UPDATE, 0, 95_000, 0);
        assertTrue(channel.isWritable());
    }

    @Test
    void buffer_withoutRoomForPayload_isUsedUpNotStuck() {
        opens();
        guest.room = 0;
        guest.buffers = 1;
        seen.channel().writeAndFlush(ascii("x"));
        guest.receives(OP_CREDIT_UPDATE);
        guest.room = 10;
        guest.offer(1);
        guest.receives(OP_RW);
    }

    @Test
    void reader_pauses_creditIsWithheldUntilItReads() {
        opens();
        seen.channel().config().setAutoRead(false);
        sendsBytes(bytes(600));
        sendsBytes(bytes(400));
        guest.receivesNothing();
        assertEquals(0, seen.bytes.size());
        seen.channel().read();
        Packet update = guest.receives(OP_CREDIT_UPDATE);
        assertEquals(1000, update.fwdCnt());
        assertEquals(1000, seen.bytes.size());
    }

    @Test
    void guest_ignoresCredit_isReset() {
        opens();
        seen.channel().config().setAutoRead(false);
        sendsBytes(bytes(600));
        sendsBytes(bytes(401));
        guest.receives(OP_RST);
        assertThat(seen.failure).hasMessageContaining("more than its credit");
        assertEquals(1, host.counters().get(VsockCounter.VIOLATIONS));
    }

    @Test
    void guest_acknowledgesTooMuch_isReset() {
        opens();
        guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_UPDATE, 0, 1000, 1);
        guest.receives(OP_RST);
        assertThat(seen.events).containsExactly("active", "exception", "inactive");
    }

    /** vhost-device, hyperkit: a question for credit got no answer, and the stream hung. */
    @Test
    void creditRequest_isAnsweredEachTime() {
        opens();
        guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_REQUEST);
        assertEquals(1000, guest.receives(OP_CREDIT_UPDATE).bufAlloc());
        guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_REQUEST);
        guest.receives(OP_CREDIT_UPDATE);
        guest.receivesNothing();
    }

    @Test
    void noBuffers_creditRequests_takeOneAnswer() {
        opens();
        guest.buffers = 0;
        for (int i = 0; i < 100; i++) {
            guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_REQUEST);
            sendsBytes(bytes(5));
        }
        assertEquals(500, seen.bytes.size());
        guest.offer(100);
        assertEquals(500, guest.receives(OP_CREDIT_UPDATE).fwdCnt());
        guest.receivesNothing();
    }

    // ---- half-close

    /** vpnkit over Hyper-V sockets: the last bytes were lost where no half could be closed. */
    @Test
    void guestShutsDownSending_eofAndHostGoesOn() {
        opens();
        sendsBytes((byte) 'a');
        shutsDown(VsockHeader.SHUTDOWN_SEND);
        assertThat(seen.events).containsSubsequence("active", "read", "eof").doesNotContain("inactive");
        assertTrue(seen.channel().isInputShutdown());
        seen.channel().writeAndFlush(ascii("b"));
        guest.receives(OP_RW);
        seen.channel().close();
        assertEquals(VsockHeader.SHUTDOWN_BOTH, guest.receives(OP_SHUTDOWN).flags());
        guest.sends(GUEST_PORT, HOST_PORT, OP_RST);
        assertEquals(0, host.streams());
        assertNull(seen.failure);
    }

    @Test
    void eof_readerPaused_comesAfterTheBytes() {
        opens();
        seen.channel().config().setAutoRead(false);
        sendsBytes((byte) 'a');
        shutsDown(VsockHeader.SHUTDOWN_SEND);
        assertThat(seen.events).doesNotContain("eof");
        seen.channel().read();
        guest.run();
        assertEquals("a", seen.text());
        seen.channel().read();
        guest.run();
        assertThat(seen.events).endsWith("eof");
    }

    @Test
    void hostShutsDownOutput_afterItsBytes_guestGoesOn() {
        guest.bufAlloc = 3;
        opens();
        ChannelFuture written = seen.channel().writeAndFlush(ascii("abcd"));
        ChannelFuture down = seen.channel().shutdownOutput();
        guest.receives(OP_RW);
        guest.receives(OP_CREDIT_REQUEST);
        guest.receivesNothing();
        guest.sends(GUEST_PORT, HOST_PORT, OP_CREDIT_UPDATE, 0, 3, 3);
        guest.receives(OP_RW);
        assertEquals(VsockHeader.SHUTDOWN_SEND, guest.receives(OP_SHUTDOWN).flags());
        assertTrue(written.isSuccess());
        assertTrue(down.isSuccess());
        assertTrue(seen.channel().isOutputShutdown());
        assertFalse(seen.channel().writeAndFlush(ascii("late")).isSuccess());
        guest.sends(GUEST_PORT, HOST_PORT, OP_RW, 0, 3, 4, (byte) 'z');
        assertEquals("z", seen.text());
        assertTrue(seen.channel().isActive());
    }

    @Test
    void bothHalves_thenGuestReset_isAnOrdinaryEnd() {
        opens();
        seen.channel().shutdownOutput();
        guest.receives(OP_SHUTDOWN);
        shutsDown(VsockHeader.SHUTDOWN_SEND);
        guest.sends(GUEST_PORT, HOST_PORT, OP_RST);
        assertThat(seen.events).endsWith("eof", "inactive");
        assertNull(seen.failure);
    }

    @Test
    void guestStopsReading_hostsWritesFail() {
        guest.bufAlloc = 1;
        opens();
        ChannelFuture written = seen.channel().writeAndFlush(ascii("abc"));
        guest.receives(OP_RW);
        shutsDown(VsockHeader.SHUTDOWN_RECEIVE);
        assertTrue(written.isDone());
        assertFalse(written.isSuccess());
        assertTrue(seen.channel().isOutputShutdown());
        assertTrue(seen.channel().isActive());
    }

    @Test
    void bytesAfterEof_areAViolation() {
        opens();
        shutsDown(VsockHeader.SHUTDOWN_SEND);
        sendsBytes((byte) 1);
        guest.receives(OP_RST);
        assertEquals(0, host.streamsFromGuest());
    }

    @Test
    void shutdownInput_discardsAndGivesCreditBack() {
        opens();
        seen.channel().shutdownInput();
        assertEquals(VsockHeader.SHUTDOWN_RECEIVE, guest.receives(OP_SHUTDOWN).flags());
        sendsBytes(bytes(1000));
        assertEquals(1000, guest.receives(OP_CREDIT_UPDATE).fwdCnt());
        assertEquals(0, seen.bytes.size());
    }

    // ---- closing

    @Test
    void hostCloses_waitsForResetThenForgets() {
        opens();
        seen.channel().close();
        assertEquals(VsockHeader.SHUTDOWN_BOTH, guest.receives(OP_SHUTDOWN).flags());
        sendsBytes((byte) 1); // crossed it
        guest.receivesNothing();
        assertEquals(1, host.streams());
        guest.sends(GUEST_PORT, HOST_PORT, OP_RST);
        assertEquals(0, host.streams());
        assertEquals(0, host.streamsFromGuest());
        assertThat(seen.events).containsExactly("active", "inactive");
    }

    @Test
    void hostCloses_noAnswer_resetsAfterAWhile() {
        opens();
        seen.channel().close();
        guest.receives(OP_SHUTDOWN);
        guest.advance(Duration.ofSeconds(10));
        guest.receives(OP_RST);
        assertEquals(0, host.streams());
    }

    @Test
    void hostCloses_bytesNotSent_isReset() {
        guest.bufAlloc = 1;
        opens();
        ChannelFuture written = seen.channel().writeAndFlush(ascii("abc"));
        guest.receives(OP_RW);
        guest.receives(OP_CREDIT_REQUEST);
        seen.channel().close();
        guest.receives(OP_RST);
        guest.receivesNothing();
        assertFalse(written.isSuccess());
        assertEquals(0, host.streams());
    }

    @Test
    void hostCloses_linger0_isReset() {
        opens();
        seen.channel().config().setOption(ChannelOption.SO_LINGER, 0);
        seen.channel().close();
        guest.receives(OP_RST);
        guest.receivesNothing();
        assertEquals(0, host.streams());
    }

    @Test
    void guestCloses_isConfirmedAndChannelEnds() {
        opens();
        shutsDown(VsockHeader.SHUTDOWN_BOTH);
        guest.receives(OP_RST);
        guest.receivesNothing();
        assertThat(seen.events).containsExactly("active", "eof", "inactive");
        assertNull(seen.failure);
        assertEquals(0, host.streamsFromGuest());
    }

    @Test
    void guestCloses_oneFlagAfterTheOther_isTheSame() {
        opens();
        shutsDown(VsockHeader.SHUTDOWN_RECEIVE);
        shutsDown(VsockHeader.SHUTDOWN_SEND);
        guest.receives(OP_SHUTDOWN); // ours for the direction the guest gave up
        guest.receives(OP_RST);
        assertThat(seen.events).containsExactly("active", "eof", "inactive");
    }

    @Test
    void guestCloses_readerPaused_bytesAreStillReadAndCounted() {
        opens();
        seen.channel().config().setAutoRead(false);
        sendsBytes((byte) 'a');
        shutsDown(VsockHeader.SHUTDOWN_BOTH);
        guest.receives(OP_RST);
        assertEquals(0, host.streams());
        assertEquals(1, host.streamsFromGuest());
        seen.channel().read();
        guest.run();
        assertEquals("a", seen.text());
        assertThat(seen.events).endsWith("eof", "inactive");
        assertEquals(0, host.streamsFromGuest());
    }

    /** vpnkit: a packet that crossed with the end of its stream ended the process. */
    @Test
    void bothClose_atOnce_noResetIsAnsweredByReset() {
        opens();
        guest.buffers = 0;
        seen.channel().close();
        shutsDown(VsockHeader.SHUTDOWN_BOTH);
        guest.sends(GUEST_PORT, HOST_PORT, OP_RST);
        guest.offer(10);
        guest.receivesNothing();
        assertEquals(0, host.streams());
    }

    @Test
    void guestResets_bytesWaiting_areDropped() {
        opens();
        seen.channel().config().setAutoRead(false);
        sendsBytes((byte) 'a');
        ChannelFuture written = seen.channel().write(ascii("b"));
        guest.sends(GUEST_PORT, HOST_PORT, OP_RST);
        assertThat(seen.events).containsExactly("active", "exception", "inactive");
        assertThat(seen.failure).hasMessageContaining("reset");
        assertFalse(written.isSuccess());
        guest.receivesNothing();
        assertEquals(1, host.counters().get(VsockCounter.STREAMS_RESET));
        assertEquals(0, host.streamsFromGuest());
    }

    @Test
    void deviceGoesDown_everythingIsReset() {
        opens();
        Future<DuplexChannel> connecting = host.connect(2375);
        guest.receives(OP_REQUEST);
        host.onDeviceDown();
        guest.run();
        assertThat(seen.events).containsExactly("active", "exception", "inactive");
        assertTrue(connecting.isDone());
        assertFalse(connecting.isSuccess());
        assertEquals(0, host.streams() + host.streamsFromGuest() + host.streamsToGuest());
        host.onDeviceUp(guest);
        guest.sends(GUEST_PORT, HOST_PORT, OP_REQUEST);
        guest.receives(OP_RESPONSE);
    }

    // ---- packets that make no sense

    @Test
    void unknownStream_isResetExceptReset() {
        for (int op = OP_RESPONSE; op <= 9; op++) {
            guest.sends(7, 8, op);
            if (op != OP_RST) {
                guest.receives(OP_RST);
            }
        }
        guest.receivesNothing();
    }

    @Test
    void unknownOperation_ofAStream_endsIt() {
        opens();
        guest.sends(GUEST_PORT, HOST_PORT, 8);
        guest.receives(OP_RST);
        assertEquals(0, host.streams());
    }

    @Test
    void seqpacket_isResetInItsOwnType() {
        host.listen(HOST_PORT, seen);
        ByteBuf h = Unpooled.buffer(44).writerIndex(44);
        VsockHeader.write(h, 0, 3, GUEST_PORT, 2, HOST_PORT, 2, OP_REQUEST);
        guest.sendsRaw(h);
        guest.receives(OP_RST);
        assertEquals(1, host.counters().get(VsockCounter.DROPPED_UNSUPPORTED));
        assertThat(seen.events).isEmpty();
    }

    @Test
    void otherSource_isDroppedSilently() {
        ByteBuf h = Unpooled.buffer(44).writerIndex(44);
        VsockHeader.write(h, 0, 4, GUEST_PORT, 2, HOST_PORT, 1, OP_REQUEST);
        guest.sendsRaw(h);
        guest.receivesNothing();
        assertEquals(1, host.counters().get(VsockCounter.DROPPED_WRONG_SOURCE));
    }

    @Test
    void malformed_isDroppedAndCounted() {
        opens();
        ByteBuf h = Unpooled.buffer(44).writerIndex(44);
        VsockHeader.write(h, 0, 3, GUEST_PORT, 2, HOST_PORT, 1, OP_RW);
        int[] lengths = {1, -1, Integer.MIN_VALUE, Integer.MAX_VALUE, VsockHeader.MAX_PAYLOAD + 1};
        for (int len : lengths) {
            VsockHeader.setLen(h, 0, len);
            guest.sendsRaw(h);
        }
        guest.sendsRaw(h.writerIndex(43));
        guest.sendsRaw(Unpooled.EMPTY_BUFFER);
        assertEquals(7, host.counters().get(VsockCounter.DROPPED_MALFORMED));
        guest.receivesNothing();
        assertTrue(seen.channel().isActive());
    }
}
