package dev.longshore.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/**
 * Work inside another network namespace. A thread cannot leave a namespace unnoticed, so the work is done by a thread of
 * its own, which ends with it; what it opens (a TAP device) belongs to that namespace and works from everywhere. Immutable.
 *
 * @param path of the namespace, such as {@code /run/netns/NAME} or {@code /proc/PID/ns/net}
 */
public record NetworkNamespace(String path) {
    private static final int O_RDONLY_CLOEXEC = 0x80000;
    private static final int CLONE_NEWNET = 0x4000_0000;

    /** From what a user writes: a path, the id of a process that lives in it, or a name that {@code ip netns} knows. */
    public static NetworkNamespace of(String text) {
        if (text.indexOf('/') >= 0) {
            return new NetworkNamespace(text);
        }
        boolean pid = !text.isEmpty() && text.chars().allMatch(c -> c >= '0' && c <= '9');
        return new NetworkNamespace(pid ? "/proc/" + text + "/ns/net" : "/run/netns/" + text);
    }

    /**
     * Blocks until {@code work} is done in this namespace.
     *
     * @return what it returns: zero or more, or a negated errno, which is also how an unreachable namespace is reported
     */
    public int call(Callable<Integer> work) throws InterruptedException {
        FutureTask<Integer> task = new FutureTask<>(() -> {
            int r = enter();
            return r < 0 ? r : work.call();
        });
        Thread.ofPlatform().name("netns").daemon().start(task);
        try {
            return task.get();
        } catch (ExecutionException e) {
            throw Linux.bug(e.getCause() == null ? e : e.getCause());
        }
    }

    /** Moves this thread, for good. */
    private int enter() {
        Linux linux = new Linux();
        int fd = open(linux, path, O_RDONLY_CLOEXEC);
        if (fd < 0) {
            return fd;
        }
        try {
            return linux.result((int) SetnsCall.HANDLE.invokeExact(linux.errno(), fd, CLONE_NEWNET));
        } catch (Throwable t) {
            throw Linux.bug(t);
        } finally {
            linux.close(fd);
        }
    }

    static int open(Linux linux, String path, int flags) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment name = call.allocateFrom(path);
            return linux.result((int) OpenCall.HANDLE.invokeExact(linux.errno(), name, flags, 0));
        } catch (Throwable t) {
            throw Linux.bug(t);
        }
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class OpenCall {
        static final MethodHandle HANDLE = Linux.call(
                "open",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT),
                Linker.Option.firstVariadicArg(2));
    }

    private static final class SetnsCall {
        static final MethodHandle HANDLE = Linux.call("setns", FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_INT));
    }
}
