package dev.longshore.fileshare.virtiofs;

import dev.longshore.virtio.virtqueue.Counter;
import java.util.Arrays;

/** What one device did. Thread-safe: written on its loop, read anywhere. */
public final class VirtioFsCounters {
    /** One more than the highest opcode that is counted by itself. */
    public static final int OPCODES = OpcodeNames.count();

    // Linux include/uapi/linux/fuse.h and asm-generic/errno.h
    private static final int READ = 15;
    private static final int WRITE = 16;
    private static final int OUT_HEADER_BYTES = 16;
    private static final int WRITE_HEADER_BYTES = 80;
    private static final int ENOENT = 2;
    private static final int EEXIST = 17;
    private static final int ENOTTY = 25;
    private static final int ERANGE = 34;
    private static final int ENOSYS = 38;
    private static final int ENOTEMPTY = 39;
    private static final int ENODATA = 61;
    private static final int EOPNOTSUPP = 95;

    final Counter inline = new Counter();
    final Counter pooled = new Counter();
    final Counter slow = new Counter();
    final Counter malformed = new Counter();
    final Counter abandoned = new Counter();
    final Counter stalls = new Counter();
    /** From the workers, answered or not. */
    final Counter returned = new Counter();

    final Counter errors = new Counter();
    final Counter bytesRead = new Counter();
    final Counter bytesWritten = new Counter();
    private final Counter[] byOpcode = new Counter[OPCODES];

    VirtioFsCounters() {
        Arrays.setAll(byOpcode, i -> new Counter());
    }

    /** A request was answered: FUSE's opcode, of whatever number; a negated errno or 0; bytes of the whole request and reply. */
    void answered(int opcode, int error, int requestBytes, int replyBytes) {
        byOpcode[OpcodeNames.of(opcode).isEmpty() ? 0 : opcode].increment();
        if (error != 0) {
            errors.add(isWorthCounting(-error) ? 1 : 0);
        } else if (opcode == READ) {
            bytesRead.add(Math.max(0, replyBytes - OUT_HEADER_BYTES));
        } else if (opcode == WRITE) {
            bytesWritten.add(Math.max(0, requestBytes - WRITE_HEADER_BYTES));
        }
    }

    /** Not so are the answers to questions: is it there, is there more of it, can you do that? */
    private static boolean isWorthCounting(int errno) {
        return switch (errno) {
            case ENOENT, EEXIST, ENOTTY, ERANGE, ENOSYS, ENOTEMPTY, ENODATA, EOPNOTSUPP -> false;
            default -> true;
        };
    }

    /** Requests answered with that opcode, 1 to {@link #OPCODES} - 1; at 0 those with any other. */
    public long requests(int opcode) {
        return byOpcode[opcode].get();
    }

    /** Requests answered. */
    public long requests() {
        long sum = 0;
        for (Counter counter : byOpcode) {
            sum += counter.get();
        }
        return sum;
    }

    /** Requests that the host refused or failed to do, but for those that ask whether there is something. */
    public long errors() {
        return errors.get();
    }

    /** Bytes of files that the guest got. */
    public long bytesRead() {
        return bytesRead.get();
    }

    /** Bytes that the guest gave to be written to files. */
    public long bytesWritten() {
        return bytesWritten.get();
    }

    /** Requests handled on the device's own loop, since few were waiting. */
    public long inline() {
        return inline.get();
    }

    /** Requests handed to threads, since more were waiting. */
    public long pooled() {
        return pooled.get();
    }

    /** Requests handed to the threads of those that wait for disks. */
    public long slow() {
        return slow.get();
    }

    /** Chains that are no requests: shorter than a header. */
    public long malformed() {
        return malformed.get();
    }

    /** Requests whose answers nobody can get any more: the guest left, or its queue stopped before they were done. */
    public long abandoned() {
        return abandoned.get();
    }

    /** Times that no request was taken since as many as may be were under way. */
    public long stalls() {
        return stalls.get();
    }
}
