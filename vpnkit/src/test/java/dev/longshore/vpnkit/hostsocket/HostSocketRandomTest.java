package dev.longshore.vpnkit.hostsocket;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.testkit.VirtualLoop;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.epoll.EpollIoHandler;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Both ends of a connection do what they like, in an order of the seed's: write, read, stop reading, half-close, close, reset.
 * What a kernel's connection promises has to hold: each end gets a beginning of what the other sent, all of it and an end if
 * nobody reset or closed too early, and a failure if somebody did.
 */
@Timeout(120)
class HostSocketRandomTest {
    private static final int SCRIPTS = 120;
    private static final int STEPS = 60;
    private static final int SOL_SOCKET = 1;
    private static final int SO_SNDBUF = 7;

    private final VirtualLoop loop = new VirtualLoop(EpollIoHandler.newFactory());
    private final HostSockets sockets = new HostSockets();

    @AfterEach
    void close() {
        loop.close();
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void anyScript_keepsWhatAConnectionPromises(long seed) throws IOException {
        for (int i = 0; i < SCRIPTS; i++) {
            long of = seed * 1_000_003 + i;
            try (SocketPair pair = new SocketPair(loop, sockets)) {
                new Script(pair, new Random(of)).run();
            } catch (AssertionError e) {
                throw new AssertionError("script " + of + ": " + e.getMessage(), e);
            }
        }
    }

    /** One connection and its model. */
    private final class Script {
        private final SocketPair p;
        private final Random random;
        private final ByteArrayOutputStream fromHost = new ByteArrayOutputStream(); // written
        private final ByteArrayOutputStream fromRemote = new ByteArrayOutputStream(); // taken by its kernel
        private ChannelFuture lastWrite;
        private boolean hostFinished;
        private boolean remoteFinished;
        private boolean hostClosed;
        private boolean remoteClosed;

        /** Somebody reset, or closed before it had all: nothing is promised any more but beginnings. */
        private boolean broken;

        Script(SocketPair pair, Random random) throws IOException {
            this.p = pair;
            this.random = random;
            this.lastWrite = pair.host.newSucceededFuture();
            if (random.nextBoolean()) { // short writes at both ends
                pair.host.setOption(SOL_SOCKET, SO_SNDBUF, 8 << 10);
                pair.remote.setOption(StandardSocketOptions.SO_SNDBUF, 8 << 10);
            }
        }

        void run() throws IOException {
            boolean gentle = random.nextInt(3) > 0;
            for (int i = 0; i < STEPS && !(hostClosed && remoteClosed); i++) {
                step(gentle);
                if (random.nextBoolean()) {
                    loop.runNow();
                }
                assertBeginnings();
            }
            settle();
        }

        private void step(boolean gentle) throws IOException {
            switch (random.nextInt(gentle ? 18 : 21)) {
                case 0, 1, 2 -> hostWrites();
                case 3, 4, 5 -> remoteWrites();
                case 6, 7, 8, 9 -> p.remoteReads(1 + random.nextInt(200_000));
                case 10, 11 -> p.wantsToRead(true);
                case 12 -> p.wantsToRead(false);
                case 13 -> p.host.read();
                case 14, 15 -> loop.runNow();
                case 16 -> hostFinishes();
                case 17 -> remoteFinishes();
                case 18 -> hostCloses(random.nextBoolean());
                case 19 -> remoteCloses(random.nextBoolean());
                default -> loop.runDue();
            }
        }

        private byte[] someBytes() {
            byte[] b = new byte[random.nextInt(4) == 0 ? random.nextInt(400_000) : random.nextInt(2000)];
            random.nextBytes(b);
            return b;
        }

        private void hostWrites() {
            if (hostFinished || hostClosed) {
                return;
            }
            byte[] bytes = someBytes();
            ByteBuf data = random.nextBoolean()
                    ? Unpooled.wrappedBuffer(bytes)
                    : Unpooled.directBuffer(bytes.length).writeBytes(bytes);
            lastWrite = p.host.write(data);
            if (!lastWrite.isDone() || lastWrite.isSuccess()) {
                fromHost.writeBytes(bytes);
            }
            if (random.nextInt(3) > 0) {
                p.host.flush();
            }
        }

        private void remoteWrites() {
            if (!remoteFinished && !remoteClosed) {
                byte[] bytes = someBytes();
                fromRemote.write(bytes, 0, p.remoteSendsSome(bytes));
            }
        }

        private void hostFinishes() {
            if (!hostFinished && !hostClosed) {
                hostFinished = true;
                p.host.shutdownOutput();
            }
        }

        private void remoteFinishes() throws IOException {
            if (!remoteFinished && !remoteClosed) {
                remoteFinished = true;
                try {
                    p.remoteFinishes();
                } catch (IOException e) {
                    p.remoteFailure = e; // reset meanwhile
                }
            }
        }

        private void hostCloses(boolean reset) {
            if (!hostClosed) {
                hostClosed = true;
                broken = true;
                if (reset) {
                    p.hostResets();
                } else {
                    p.host.close();
                }
            }
        }

        private void remoteCloses(boolean reset) throws IOException {
            if (!remoteClosed) {
                remoteClosed = true;
                broken = true;
                if (reset) {
                    p.remoteResets();
                } else {
                    p.remote.close();
                }
            }
        }

        private void assertBeginnings() {
            assertBeginning("at the host", p.atHost, fromRemote);
            assertBeginning("at the remote", p.atRemote, fromHost);
            assertThat(p.eofs).isLessThanOrEqualTo(1);
            if (p.eofs == 1 && !broken) {
                assertThat(remoteFinished).as("EOF out of nothing").isTrue();
                assertThat(p.atHost.size()).as("bytes before EOF").isEqualTo(fromRemote.size());
            }
            if (!broken) {
                assertThat(p.hostFailure).isNull();
                assertThat(p.host.isOpen()).isTrue();
            }
        }

        private void assertBeginning(String where, ByteArrayOutputStream got, ByteArrayOutputStream sent) {
            byte[] all = sent.toByteArray();
            byte[] some = got.toByteArray();
            assertThat(some.length).as(where).isLessThanOrEqualTo(all.length);
            assertThat(Arrays.equals(some, Arrays.copyOf(all, some.length)))
                    .as(where)
                    .isTrue();
        }

        /** Both ends finish and read on: now all has to come, or the failure. */
        private void settle() throws IOException {
            hostFinishes();
            remoteFinishes();
            p.wantsToRead(true);
            if (hostClosed && remoteClosed) {
                loop.runDue();
            } else if (hostClosed) {
                p.runUntilRemoteSawEnd();
            } else if (remoteClosed) {
                loop.runUntil(() -> p.eofs == 1 || !p.host.isOpen(), "the host hears of it");
            } else {
                p.runUntilRemoteSawEnd();
                loop.runUntil(() -> p.eofs == 1, "EOF at the host");
                assertThat(p.atRemote.size()).isEqualTo(fromHost.size());
                assertThat(p.atHost.size()).isEqualTo(fromRemote.size());
                loop.runUntil(lastWrite::isDone, "the last write's promise");
                assertThat(lastWrite.isSuccess()).isTrue();
                assertThat(p.host.isOutputShutdown()).isTrue();
            }
            assertBeginnings();
            p.host.close();
            loop.runDue();
            assertThat(p.inactives).isEqualTo(1);
            assertThat(p.host.isRegistered()).isFalse();
        }
    }
}
