package dev.longshore.fileshare.fuse;

import java.util.concurrent.atomic.LongAdder;

/** What the server has done since it was made. Thread-safe. */
public final class FuseCounters {
    private final LongAdder requests = new LongAdder();
    private final LongAdder errors = new LongAdder();
    private final LongAdder bugs = new LongAdder();
    private final LongAdder bytesRead = new LongAdder();
    private final LongAdder bytesWritten = new LongAdder();

    FuseCounters() {}

    void request() {
        requests.increment();
    }

    void error() {
        errors.increment();
    }

    void bug() {
        bugs.increment();
    }

    long bugs() {
        return bugs.sum();
    }

    void read(int bytes) {
        bytesRead.add(bytes);
    }

    void written(int bytes) {
        bytesWritten.add(bytes);
    }

    /** Requests of any kind. */
    public long requests() {
        return requests.sum();
    }

    /** Those that were answered with an error other than that there is no such name. */
    public long errors() {
        return errors.sum();
    }

    /** Bytes of files that went to the guest. */
    public long bytesRead() {
        return bytesRead.sum();
    }

    /** Bytes of files that came from the guest. */
    public long bytesWritten() {
        return bytesWritten.sum();
    }
}
