package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.invoke.MethodHandle;

/** mount(2) and umount2(2). Confined to one thread at a time. Calls return 0 or the negated {@code errno}. */
public final class Mounts extends SystemCalls {
    public static final long MS_NOSUID = 2;
    public static final long MS_NODEV = 4;
    private static final int MNT_DETACH = 2;

    public int mount(String source, String target, String type, long flags, String data) {
        try (Arena call = Arena.ofConfined()) {
            return result((int) MountCall.HANDLE.invokeExact(
                    errno,
                    call.allocateFrom(source),
                    call.allocateFrom(target),
                    call.allocateFrom(type),
                    flags,
                    call.allocateFrom(data)));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** At once, whoever uses it. */
    public int detach(String target) {
        try (Arena call = Arena.ofConfined()) {
            return result((int) Umount2Call.HANDLE.invokeExact(errno, call.allocateFrom(target), MNT_DETACH));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    // ---- the calls, each linked when it is first made

    private static final class MountCall {
        static final MethodHandle HANDLE =
                call("mount", FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS, JAVA_LONG, ADDRESS));
    }

    private static final class Umount2Call {
        static final MethodHandle HANDLE = call("umount2", FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT));
    }
}
