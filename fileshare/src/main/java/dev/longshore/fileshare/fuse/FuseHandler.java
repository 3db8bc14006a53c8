package dev.longshore.fileshare.fuse;

/** Who answers requests; a transport calls it. Thread-safe: several exchanges may be handled at once. */
public interface FuseHandler {
    /**
     * Answers a request and completes the exchange, in the calling thread: it waits for the host's files as long as they
     * take. Never throws for what the guest sent; the exchange is completed in all cases.
     */
    void handle(FuseExchange exchange);

    /**
     * True if requests of this kind may take so long that nobody else should wait behind them: FSYNC, SYNCFS and the like.
     *
     * @param opcode as in {@code struct fuse_in_header}, untrusted
     */
    boolean isSlow(int opcode);

    /** The guest's kernel is gone or starts anew: all its nodes and open files are forgotten. No exchange is being handled. */
    void reset();
}
