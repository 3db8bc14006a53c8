package dev.longshore.testkit;

import java.util.Random;

/**
 * Decides what happens to each frame of one direction: lost, doubled, or held back behind the next ones. The same seed
 * gives the same faults. Confined to the test's thread.
 */
public final class FaultInjector {
    /** No faults at all. */
    public static FaultInjector none() {
        return new FaultInjector(0, 0, 0, 0);
    }

    private final Random random;
    private final double loss;
    private final double duplicate;
    private final double reorder;

    /** The three probabilities, each 0..1. */
    public FaultInjector(long seed, double loss, double duplicate, double reorder) {
        this.random = new Random(seed);
        this.loss = loss;
        this.duplicate = duplicate;
        this.reorder = reorder;
    }

    boolean loses() {
        return loss > 0 && random.nextDouble() < loss;
    }

    boolean duplicates() {
        return duplicate > 0 && random.nextDouble() < duplicate;
    }

    /** How many of the following frames overtake this one: 0 mostly. */
    int overtakenBy() {
        return reorder > 0 && random.nextDouble() < reorder ? 1 + random.nextInt(4) : 0;
    }
}
