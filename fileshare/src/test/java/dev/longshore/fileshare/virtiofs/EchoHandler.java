package dev.longshore.fileshare.virtiofs;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.longshore.fileshare.fuse.FuseExchange;
import dev.longshore.fileshare.fuse.FuseHandler;
import dev.longshore.fileshare.os.IoVector;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

/** Answers every request with its payload, as far as there is room. FORGET has no answer, FSYNC is slow. */
final class EchoHandler implements FuseHandler {
    final List<String> seen = new CopyOnWriteArrayList<>();
    final AtomicInteger underWay = new AtomicInteger();
    final AtomicInteger resets = new AtomicInteger();

    /** Called with the opcode before a request is answered; may block or throw. */
    volatile Consumer<Integer> before = opcode -> {};

    volatile boolean throwAfter;

    /** Hears of what it throws itself, whoever swallows it. */
    volatile Consumer<Throwable> failing = e -> {};

    @Override
    public void handle(FuseExchange exchange) {
        underWay.incrementAndGet();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment header = arena.allocate(Fuse.IN_HEADER, 8);
            exchange.copyRequest(0, header, Fuse.IN_HEADER);
            int opcode = header.get(JAVA_INT, 4);
            long unique = header.get(JAVA_LONG, 8);
            seen.add(opcode + ":" + unique);
            before.accept(opcode);
            exchange.complete(opcode == Fuse.FORGET ? 0 : answer(exchange, unique, arena));
        } catch (RuntimeException | Error e) {
            failing.accept(e);
            throw e;
        } finally {
            underWay.decrementAndGet();
        }
        if (throwAfter) {
            throw new IllegalStateException("a bug, on purpose");
        }
    }

    private static int answer(FuseExchange exchange, long unique, Arena arena) {
        int room = exchange.replyRoom() - Fuse.OUT_HEADER;
        if (room < 0) {
            return 0;
        }
        int n = Math.min(room, exchange.requestBytes() - Fuse.IN_HEADER);
        MemorySegment reply = arena.allocate(Fuse.OUT_HEADER + n, 8);
        reply.set(JAVA_INT, 0, Fuse.OUT_HEADER + n);
        reply.set(JAVA_LONG, 8, unique);
        exchange.copyRequest(Fuse.IN_HEADER, reply.asSlice(Fuse.OUT_HEADER), n);
        exchange.copyReply(0, reply, Fuse.OUT_HEADER + n);
        checkPieces(exchange, n);
        return Fuse.OUT_HEADER + n;
    }

    /** The pieces are as many bytes as asked for, unless there are too many. */
    private static void checkPieces(FuseExchange exchange, int n) {
        IoVector vector = new IoVector();
        int in = exchange.requestPieces(Fuse.IN_HEADER, n, vector);
        check(in == vector.bytes() && (in == n || vector.count() == IoVector.MAX), "request pieces");
        vector.clear();
        int out = exchange.replyPieces(Fuse.OUT_HEADER, n, vector);
        check(out == vector.bytes() && (out == n || vector.count() == IoVector.MAX), "reply pieces");
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    @Override
    public boolean isSlow(int opcode) {
        return opcode == Fuse.FSYNC;
    }

    @Override
    public void reset() {
        check(underWay.get() == 0, "reset while a request is handled");
        resets.incrementAndGet();
    }
}
