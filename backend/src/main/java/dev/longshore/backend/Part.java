package dev.longshore.backend;

/**
 * Something that is started and stopped with the guest. Confined to the lifecycle thread, where {@link #start} may block;
 * an interrupt asks it to give up.
 */
interface Part {
    /** Stable and short, for events and logs: {@code guest}. */
    String name();

    /** What is there once it has started, for the user: {@code Data disk}; empty for what the user need not know. */
    String title();

    /**
     * Returns when the part works. Whatever it throws, it leaves nothing behind: {@link #stop} is not called then.
     *
     * @throws PartException with a text for the user; any other exception is a bug or an I/O error
     */
    void start(Progress progress) throws Exception;

    /** Returns when nothing of it is left. Idempotent; must end in bounded time. */
    void stop() throws Exception;

    /** Hears how far a start is. */
    interface Progress {
        void say(String text);
    }
}
