package dev.longshore.testkit;

import io.netty.buffer.ByteBuf;
import java.util.Random;

/**
 * Decides what happens to each frame of one direction: lost, doubled, held back behind the next ones, or damaged (from the
 * guest only: damage on the way to it is a loss). The same seed gives the same faults. Confined to the test's thread.
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
    private double damage;

    /** The three probabilities, each 0..1. */
    public FaultInjector(long seed, double loss, double duplicate, double reorder) {
        this.random = new Random(seed);
        this.loss = loss;
        this.duplicate = duplicate;
        this.reorder = reorder;
    }

    /** Flips one bit behind the IPv4 header in so many of the frames. */
    public FaultInjector damaging(double probability) {
        damage = probability;
        return this;
    }

    void corrupts(ByteBuf frame) {
        int first = 34;
        if (damage > 0 && random.nextDouble() < damage && frame.readableBytes() > first) {
            int at = first + random.nextInt(frame.readableBytes() - first);
            frame.setByte(at, frame.getByte(at) ^ 1 << random.nextInt(8));
        }
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
