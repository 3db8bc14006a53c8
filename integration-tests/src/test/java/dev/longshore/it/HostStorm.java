package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Comparator;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/**
 * Somebody on the host who renames, makes and removes files and folders while containers work beside them: in {@code storm} of a folder,
 * which is renamed itself, and in the folder and the one above it. What else is in the two it leaves alone. A thread of its own until closed.
 */
final class HostStorm implements AutoCloseable {
    private static final int NAMES = 60;
    private static final int LARGEST = 9000;
    private static final int BURST = 100;
    private static final long PAUSE_NANOS = 10_000_000;

    private final Random random;
    private final Path folder;
    private final Path storm;
    private final Thread thread;
    private volatile boolean ended;
    private final AtomicLong done = new AtomicLong();

    HostStorm(Path folder, long seed) {
        this.folder = folder;
        random = new Random(seed);
        storm = folder.resolve("storm");
        try {
            Files.createDirectories(storm);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        thread = Thread.ofPlatform().daemon().name("storm").start(this::rage);
    }

    private void rage() {
        while (!ended) {
            for (int i = 0; i < BURST; i++) {
                try {
                    once();
                    done.incrementAndGet();
                } catch (IOException | UncheckedIOException e) {
                    // a name that was there is not, or the other way round: half of what is tried
                }
            }
            LockSupport.parkNanos(PAUSE_NANOS); // the machine is the containers' as well
        }
    }

    private void once() throws IOException {
        Path one = storm.resolve("n" + random.nextInt(NAMES));
        Path other = storm.resolve("n" + random.nextInt(NAMES));
        switch (random.nextInt(8)) {
            case 0 -> Files.createDirectories(one.resolve("x/y"));
            case 1 -> Files.write(one, new byte[random.nextInt(LARGEST)]);
            case 2, 3 -> Files.move(one, other, StandardCopyOption.ATOMIC_MOVE);
            case 4 -> Files.move(other.resolve("x"), one, StandardCopyOption.ATOMIC_MOVE);
            case 5 -> remove(one);
            case 6 -> {
                Path aside = folder.resolve("aside");
                Files.move(storm, aside, StandardCopyOption.ATOMIC_MOVE);
                Files.move(aside, storm, StandardCopyOption.ATOMIC_MOVE);
            }
            case 7 -> {
                Path above = random.nextBoolean() ? folder : folder.resolveSibling("");
                Path fresh = Files.write(above.resolve("t" + random.nextInt(9)), new byte[9]);
                Files.move(fresh, above.resolve("u" + random.nextInt(9)), StandardCopyOption.ATOMIC_MOVE);
            }
            default -> throw new IllegalStateException();
        }
    }

    private static void remove(Path tree) throws IOException {
        try (Stream<Path> files = Files.walk(tree)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** How much was renamed, made and removed. */
    long done() {
        return done.get();
    }

    @Override
    public void close() {
        ended = true;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        assertThat(done.get()).as("what the storm did").isPositive();
    }
}
