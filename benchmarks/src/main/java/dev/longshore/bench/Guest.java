package dev.longshore.bench;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** One contender, running: where load programs start and what they reach. One thread. */
interface Guest extends AutoCloseable {
    /** Standard output of a program that runs in the guest. */
    String run(int seconds, List<String> command);

    /** The host's loopback as the guest sees it. */
    String target();

    /** Where {@code netload} is in the guest. */
    String netload();

    /** The stack's process, or null if the kernel alone does it. */
    @Nullable
    Long stack();

    /** The guest's own process, with what it has started; null where the guest is not a process. */
    @Nullable
    Long machine();

    /** Starts a program in the guest whose input the caller holds; null where that can't be done. */
    @Nullable
    Process hold(List<String> command);

    @Override
    void close();
}
