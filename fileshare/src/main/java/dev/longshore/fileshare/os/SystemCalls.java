package dev.longshore.fileshare.os;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/** What all system calls here have in common: where errno goes. Confined to one thread at a time. */
abstract class SystemCalls {
    static final Linker LINKER = Linker.nativeLinker();

    private static final int EINTR = 4;
    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));

    final Arena arena = Arena.ofAuto();
    final MemorySegment errno = arena.allocate(Linker.Option.captureStateLayout());

    final int result(int r) {
        return r == -1 ? -(int) ERRNO.get(errno, 0L) : r;
    }

    final long result(long r) {
        return r == -1 ? -(int) ERRNO.get(errno, 0L) : r;
    }

    static boolean interrupted(long r) {
        return r == -EINTR;
    }

    static MethodHandle call(String name, FunctionDescriptor type, Linker.Option... options) {
        Linker.Option[] all = new Linker.Option[options.length + 1];
        System.arraycopy(options, 0, all, 0, options.length);
        all[options.length] = Linker.Option.captureCallState("errno");
        return LINKER.downcallHandle(LINKER.defaultLookup().findOrThrow(name), type, all);
    }

    static RuntimeException bug(Throwable t) {
        if (t instanceof RuntimeException e) {
            return e;
        }
        if (t instanceof Error e) {
            throw e;
        }
        return new IllegalStateException(t); // a downcall handle throws nothing checked
    }
}
