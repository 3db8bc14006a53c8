package dev.longshore.cli;

import dev.longshore.packet.capture.PacketText;
import dev.longshore.packet.capture.PcapngWriter;
import dev.longshore.proto.control.v1.CaptureEnd;
import dev.longshore.proto.control.v1.CaptureReply;
import dev.longshore.proto.control.v1.CaptureRequest;
import dev.longshore.proto.control.v1.CapturedFrame;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.io.BufferedOutputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        name = "capture",
        mixinStandardHelpOptions = true,
        description = "The frames of the guest's network card, both ways, as they cross it.",
        footer = {
            "%nA filter is a part of pcap-filter(7): arp ip ip6 tcp udp icmp icmp6, [src|dst] host, net, port,",
            "portrange, and or not ( ). Segments appear as large as they cross, and partial checksums are not completed.",
            "Interrupt it to end it; the file is complete then.",
            "%nExamples:",
            "  longshore capture tcp port 443",
            "  longshore capture -w guest.pcapng 'host 10.1.2.3 and not port 22'",
            "  longshore capture -w - | wireshark -k -i -"
        })
final class CaptureCommand implements Callable<Integer> {
    /** Enough for the headers and the question of a DNS message. */
    private static final int TEXT_BYTES = 512;

    private static final int WHOLE_FRAMES = 262_144;
    private static final long END_SECONDS = 5;
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("HH:mm:ss.SSSSSS", Locale.ROOT);

    private final Context context;

    @Option(
            names = "-w",
            paramLabel = "FILE",
            description =
                    "Write pcapng with nanoseconds to a file, or to standard output for '-'; without it, a line a packet.")
    private String file = "";

    @Option(names = "-s", paramLabel = "SNAPLEN", description = "Keep this many bytes of each frame (default: all).")
    private int snapLength;

    @Option(names = "-c", paramLabel = "COUNT", description = "End after this many frames.")
    private long count;

    @Parameters(paramLabel = "FILTER", arity = "0..*")
    private List<String> filter = List.of();

    CaptureCommand(Context context) {
        this.context = context;
    }

    @Override
    public Integer call() throws IOException, InterruptedException {
        if (snapLength < 0 || snapLength > WHOLE_FRAMES || count < 0) {
            throw CliException.wrongArguments("-s is 1 to " + WHOLE_FRAMES + ", -c is 1 or more");
        }
        try (ControlClient client = ControlClient.require(context.home())) {
            CaptureStream stream = new CaptureStream();
            CountDownLatch written = new CountDownLatch(1);
            Thread onInterrupt = new Thread(() -> endAndWait(stream, written), "interrupt");
            Runtime.getRuntime().addShutdownHook(onInterrupt);
            try {
                client.capture(request(), stream);
                copy(stream);
            } finally {
                written.countDown();
                forget(onInterrupt);
            }
        }
        return ExitCode.OK;
    }

    private CaptureRequest request() {
        int usual = file.isEmpty() ? TEXT_BYTES : WHOLE_FRAMES;
        return CaptureRequest.newBuilder()
                .setFilter(String.join(" ", filter))
                .setSnapLength(snapLength == 0 ? usual : snapLength)
                .setCount(count)
                .build();
    }

    /** SIGINT: the daemon is asked for the end, and this process lives until that is written. */
    private static void endAndWait(CaptureStream stream, CountDownLatch written) {
        stream.end();
        try {
            if (written.await(END_SECONDS, TimeUnit.SECONDS)) {
                Runtime.getRuntime().halt(ExitCode.OK);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void forget(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // It runs already: this is the end of an interrupted capture.
        }
    }

    private void copy(CaptureStream stream) throws IOException, InterruptedException {
        stream.awaitStart();
        if (!file.isEmpty()) {
            context.terminal().say("capturing to " + (file.equals("-") ? "standard output" : file));
        }
        CaptureEnd end = null;
        try (Output output = output()) {
            for (CaptureReply reply = stream.next(); reply != null; reply = stream.next()) {
                for (CapturedFrame frame : reply.getFrames().getFramesList()) {
                    output.frame(frame);
                }
                if (reply.hasEnd()) {
                    end = reply.getEnd();
                    output.end(end);
                }
                output.flush();
            }
        } finally {
            report(end);
        }
    }

    private void report(@Nullable CaptureEnd end) {
        if (end != null) {
            context.terminal().say(end.getCaptured() + " frames captured, " + end.getDropped() + " dropped");
        }
    }

    private Output output() throws IOException {
        int kept = snapLength == 0 ? WHOLE_FRAMES : snapLength;
        return switch (file) {
            case "" -> new Text(context.terminal());
            case "-" -> new Pcapng(System.out, kept);
            default -> new Pcapng(created(Path.of(file)), kept);
        };
    }

    /** Readable by its owner only: traffic is nobody else's business. */
    private static OutputStream created(Path path) throws IOException {
        if (!Files.exists(path)) {
            Files.createFile(path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        }
        return new FileOutputStream(path.toFile());
    }

    /** Where frames go. */
    private interface Output extends AutoCloseable {
        void frame(CapturedFrame frame) throws IOException;

        void end(CaptureEnd end) throws IOException;

        void flush() throws IOException;

        @Override
        void close() throws IOException;
    }

    private static final class Pcapng implements Output {
        private final OutputStream out;
        private final PcapngWriter writer;

        Pcapng(OutputStream stream, int snapLength) throws IOException {
            out = new BufferedOutputStream(stream, 1 << 16);
            writer = new PcapngWriter(out, "guest", snapLength);
            out.flush();
        }

        @Override
        public void frame(CapturedFrame f) throws IOException {
            writer.frame(
                    f.getTimeNanos(),
                    f.getFromGuest(),
                    f.getLength(),
                    f.getData().toByteArray());
        }

        @Override
        public void end(CaptureEnd end) throws IOException {
            Instant now = Instant.now();
            writer.statistics(
                    now.getEpochSecond() * 1_000_000_000 + now.getNano(),
                    end.getCaptured() + end.getDropped(),
                    end.getDropped());
        }

        @Override
        public void flush() throws IOException {
            out.flush();
        }

        @Override
        public void close() throws IOException {
            out.close();
        }
    }

    private static final class Text implements Output {
        private final Terminal terminal;

        Text(Terminal terminal) {
            this.terminal = terminal;
        }

        @Override
        public void frame(CapturedFrame f) throws IOException {
            ByteBuf b = Unpooled.wrappedBuffer(f.getData().asReadOnlyByteBuffer());
            String time = TIME.format(Instant.ofEpochSecond(0, f.getTimeNanos()).atZone(ZoneId.systemDefault()));
            terminal.out()
                    .println(time
                            + (f.getFromGuest() ? " > " : " < ")
                            + PacketText.of(b, 0, b.readableBytes(), f.getLength()));
            if (terminal.out().checkError()) {
                throw new IOException("standard output is closed");
            }
        }

        @Override
        public void end(CaptureEnd end) {}

        @Override
        public void flush() {
            terminal.out().flush();
        }

        @Override
        public void close() {}
    }
}
