package dev.longshore.proxy.pac;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.time.ZonedDateTime;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * The JVM that runs a script: reads {@link Wire}'s messages from its standard input until that ends, and answers on its standard
 * output. It ends at once with its parent, whatever a script does then.
 */
public final class PacMain {
    /** Calls at a time; most of one is waiting for names. */
    private static final int THREADS = 4;

    private static final int LOOKUPS = 16;

    private PacMain() {}

    /** Without arguments. */
    public static void main(String[] arguments) throws IOException {
        try {
            serve(
                    new DataInputStream(new BufferedInputStream(System.in)),
                    new DataOutputStream(new BufferedOutputStream(System.out)));
        } finally {
            Runtime.getRuntime().halt(0); // without waiting for scripts
        }
    }

    private static void serve(DataInputStream in, DataOutputStream out) throws IOException {
        ExecutorService calls = Executors.newFixedThreadPool(THREADS);
        ExecutorService lookups = new ThreadPoolExecutor(0, LOOKUPS, 10, TimeUnit.SECONDS, new SynchronousQueue<>());
        long loaded = deadline(in.readInt());
        PacEngine engine;
        try {
            engine = PacEngine.of(
                    Wire.read(in), d -> new HostNet(lookups, d), ZonedDateTime::now, System::nanoTime, loaded);
        } catch (PacException e) {
            answer(out, 0, false, String.valueOf(e.getMessage()));
            return;
        }
        answer(out, 0, true, "");
        while (true) {
            int id = in.readInt();
            long deadline = deadline(in.readInt());
            String url = Wire.read(in);
            String host = Wire.read(in);
            calls.execute(() -> call(engine, out, id, url, host, deadline));
        }
    }

    private static long deadline(int millis) {
        return System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
    }

    private static void call(PacEngine engine, DataOutputStream out, int id, String url, String host, long deadline) {
        try {
            try {
                answer(out, id, true, engine.find(url, host, deadline));
            } catch (PacException e) {
                answer(out, id, false, String.valueOf(e.getMessage()));
            } catch (Error e) { // which the JVM did not end itself for
                answer(out, id, false, "it fails: " + e);
            }
        } catch (IOException e) {
            Runtime.getRuntime().halt(1); // nobody listens
        }
    }

    private static void answer(DataOutputStream out, int id, boolean good, String text) throws IOException {
        synchronized (out) {
            out.writeInt(id);
            out.writeBoolean(good);
            Wire.write(out, text);
            out.flush();
        }
    }
}
