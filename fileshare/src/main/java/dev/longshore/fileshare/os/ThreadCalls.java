package dev.longshore.fileshare.os;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * What a single thread of this process may do and as whom. Linux keeps all of it per thread; the C library hides that for
 * some calls, which are made without it. Confined to the thread that they are for: never a virtual thread's.
 *
 * <p>Every call returns what the kernel does, or the negated {@code errno}.
 */
public final class ThreadCalls extends SystemCalls {
    private static final boolean ARM = System.getProperty("os.arch", "").equals("aarch64");
    private static final int SYS_SETGROUPS = ARM ? 159 : 116;
    private static final int SYS_LANDLOCK_CREATE_RULESET = 444;
    private static final int SYS_LANDLOCK_ADD_RULE = 445;
    private static final int SYS_LANDLOCK_RESTRICT_SELF = 446;
    private static final int LANDLOCK_CREATE_RULESET_VERSION = 1;
    private static final int LANDLOCK_RULE_PATH_BENEATH = 1;
    private static final int CLONE_FS = 0x200;
    private static final int PR_SET_NO_NEW_PRIVS = 38;

    private final MemorySegment scratch = arena.allocate(16, 8);

    /** Gives this thread a working directory, root and file mode mask of its own. */
    public int unshareFs() {
        try {
            return result((int) UnshareCall.HANDLE.invokeExact(errno, CLONE_FS));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** The mask before. Of this thread only if {@link #unshareFs} was. */
    public int umask(int mask) {
        try {
            return (int) UmaskCall.HANDLE.invokeExact(errno, mask);
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int effectiveUid() {
        try {
            return (int) GeteuidCall.HANDLE.invokeExact(errno);
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Whose files this thread makes and what it may do to others': setfsuid(2). The one before; it cannot say more. */
    public int setFsUid(int uid) {
        try {
            return (int) SetfsuidCall.HANDLE.invokeExact(errno, uid);
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    public int setFsGid(int gid) {
        try {
            return (int) SetfsgidCall.HANDLE.invokeExact(errno, gid);
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** The supplementary groups of this thread: {@code gid} alone, or none if {@code some} is false. */
    public int setGroups(boolean some, int gid) {
        scratch.set(JAVA_INT, 0, gid);
        long count = some ? 1 : 0;
        try {
            return (int) result((long) SetgroupsCall.HANDLE.invokeExact(errno, (long) SYS_SETGROUPS, count, scratch));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Once and for all for this thread and those it starts: prctl(2). Landlock wants it. */
    public int setNoNewPrivileges() {
        try {
            return result((int) PrctlCall.HANDLE.invokeExact(errno, PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    // ---- Landlock: Linux Documentation/userspace-api/landlock.rst

    /** The ABI's version, 1 and more; -ENOSYS or -EOPNOTSUPP where there is no Landlock. */
    public int landlockVersion() {
        try {
            return (int) result((long) LandlockCreateCall.HANDLE.invokeExact(
                    errno,
                    (long) SYS_LANDLOCK_CREATE_RULESET,
                    MemorySegment.NULL,
                    0L,
                    LANDLOCK_CREATE_RULESET_VERSION));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** A new set of rules that governs the {@code LANDLOCK_ACCESS_FS_*} rights {@code handled}: its descriptor. */
    public int landlockRuleset(long handled) {
        scratch.set(JAVA_LONG, 0, handled);
        try {
            return (int) result((long)
                    LandlockCreateCall.HANDLE.invokeExact(errno, (long) SYS_LANDLOCK_CREATE_RULESET, scratch, 8L, 0));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Grants {@code allowed} for everything at and beneath what is open as {@code fd}. */
    public int landlockAllowBeneath(int rulesetFd, long allowed, int fd) {
        scratch.set(JAVA_LONG, 0, allowed);
        scratch.set(JAVA_INT, 8, fd); // struct landlock_path_beneath_attr is packed: 12 bytes
        try {
            return (int) result((long) LandlockAddCall.HANDLE.invokeExact(
                    errno, (long) SYS_LANDLOCK_ADD_RULE, rulesetFd, LANDLOCK_RULE_PATH_BENEATH, scratch, 0));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    /** Once and for all for this thread and those it starts. */
    public int landlockRestrictSelf(int rulesetFd) {
        try {
            return (int) result((long)
                    LandlockRestrictCall.HANDLE.invokeExact(errno, (long) SYS_LANDLOCK_RESTRICT_SELF, rulesetFd, 0));
        } catch (Throwable t) {
            throw bug(t);
        }
    }

    // ---- the calls, each linked when it is first made: all of them at once would be half of a start

    private static final class UnshareCall {
        static final MethodHandle HANDLE = call("unshare", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class UmaskCall {
        static final MethodHandle HANDLE = call("umask", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class GeteuidCall {
        static final MethodHandle HANDLE = call("geteuid", FunctionDescriptor.of(JAVA_INT));
    }

    private static final class SetfsuidCall {
        static final MethodHandle HANDLE = call("setfsuid", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class SetfsgidCall {
        static final MethodHandle HANDLE = call("setfsgid", FunctionDescriptor.of(JAVA_INT, JAVA_INT));
    }

    private static final class SetgroupsCall {
        static final MethodHandle HANDLE = call(
                "syscall",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, ADDRESS),
                Linker.Option.firstVariadicArg(1));
    }

    private static final class PrctlCall {
        static final MethodHandle HANDLE = call(
                "prctl",
                FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
                Linker.Option.firstVariadicArg(1));
    }

    private static final class LandlockCreateCall {
        static final MethodHandle HANDLE = call(
                "syscall",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_LONG, JAVA_INT),
                Linker.Option.firstVariadicArg(1));
    }

    private static final class LandlockAddCall {
        static final MethodHandle HANDLE = call(
                "syscall",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT),
                Linker.Option.firstVariadicArg(1));
    }

    private static final class LandlockRestrictCall {
        static final MethodHandle HANDLE = call(
                "syscall",
                FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT),
                Linker.Option.firstVariadicArg(1));
    }
}
