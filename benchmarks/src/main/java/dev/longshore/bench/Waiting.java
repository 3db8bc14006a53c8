package dev.longshore.bench;

import java.util.function.BooleanSupplier;

/** Waits for other programs. */
final class Waiting {
    private Waiting() {}

    static void until(int milliseconds, String what, BooleanSupplier condition) {
        long end = System.nanoTime() + milliseconds * 1_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() - end > 0) {
                throw new BenchException("no " + what + " within " + milliseconds + " ms");
            }
            pause(50);
        }
    }

    static void pause(int milliseconds) {
        try {
            Thread.sleep(milliseconds);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BenchException("interrupted");
        }
    }
}
