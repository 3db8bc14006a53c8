package dev.longshore.proxy.pac;

import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.mozilla.javascript.Context;
import org.mozilla.javascript.ContextFactory;
import org.mozilla.javascript.Function;
import org.mozilla.javascript.LambdaFunction;
import org.mozilla.javascript.RhinoException;
import org.mozilla.javascript.Script;
import org.mozilla.javascript.ScriptableObject;
import org.mozilla.javascript.Undefined;

/**
 * One script in the interpreter. Thread-safe: immutable, and each call has a context and a scope of its own, so a script finds
 * nothing that an earlier call has left. A script has the language's own objects and {@link PacHelpers}; it has no way to Java, and
 * is stopped at its deadline wherever the interpreter counts instructions, regular expressions included. What it allocates is not
 * bounded here.
 */
final class PacEngine {
    static final int MAX_REPLY = 65_536;

    private static final int OBSERVED_INSTRUCTIONS = 5_000;
    private static final int MAX_CALL_DEPTH = 1_000;
    private static final String NAME = "proxy script";
    private static final List<String> FUNCTIONS = List.of("FindProxyForURLEx", "FindProxyForURL");

    private final Factory factory;
    private final Script script;
    private final Supplier<ZonedDateTime> clock;

    /** Makes the helpers' network for one call, which ends at a deadline in {@link System#nanoTime}'s terms. */
    interface Nets {
        PacHelpers.Net until(long deadline);
    }

    private final Nets nets;

    private PacEngine(Factory factory, Script script, Nets nets, Supplier<ZonedDateTime> clock) {
        this.factory = factory;
        this.script = script;
        this.nets = nets;
        this.clock = clock;
    }

    /**
     * Reads a script and runs its top level once.
     *
     * @param deadline for that, compared by subtraction
     */
    static PacEngine of(String text, Nets nets, Supplier<ZonedDateTime> clock, LongSupplier nanoClock, long deadline)
            throws PacException {
        Factory factory = new Factory(nanoClock);
        PacEngine engine = guarded(() -> {
            try (Context cx = factory.enter(deadline)) {
                return new PacEngine(factory, cx.compileString(text, NAME, 1, null), nets, clock);
            }
        });
        engine.run(deadline, (cx, scope) -> {
            Function _ = engine.entry(scope);
            return "";
        });
        return engine;
    }

    /** What the script returns as text; empty for null and for nothing. */
    String find(String url, String host, long deadline) throws PacException {
        return run(deadline, (cx, scope) -> {
            Object said = entry(scope).call(cx, scope, scope, new Object[] {url, host});
            if (said == null || Undefined.isUndefined(said)) {
                return "";
            }
            String text = Context.toString(said);
            if (text.length() > MAX_REPLY) {
                throw new PacException("it returned a text of " + text.length() + " characters");
            }
            return text;
        });
    }

    private Function entry(ScriptableObject scope) throws PacException {
        for (String name : FUNCTIONS) {
            if (ScriptableObject.getProperty(scope, name) instanceof Function f) {
                return f;
            }
        }
        throw new PacException("it has no function FindProxyForURL");
    }

    /** In a context and a scope. */
    private interface Body {
        String run(Context cx, ScriptableObject scope) throws PacException;
    }

    private String run(long deadline, Body body) throws PacException {
        return guarded(() -> {
            try (Context cx = factory.enter(deadline)) {
                ScriptableObject scope = cx.initSafeStandardObjects();
                addHelpers(scope, new PacHelpers(nets.until(deadline), clock));
                script.exec(cx, scope, scope);
                return body.run(cx, scope);
            }
        });
    }

    /** Something that a script can make fail in any way. */
    private interface Attempt<T> {
        T run() throws PacException;
    }

    private static <T> T guarded(Attempt<T> attempt) throws PacException {
        try {
            return attempt.run();
        } catch (Deadline e) {
            throw new PacException("it did not end in time");
        } catch (RhinoException e) {
            throw new PacException("line " + e.lineNumber() + ": " + e.details());
        } catch (StackOverflowError e) {
            throw new PacException("it calls itself too deeply");
        } catch (RuntimeException e) {
            throw new PacException("it fails: " + e);
        }
    }

    // ---- the helpers

    /** A function of texts; an argument that is missing is the text "undefined", as in JavaScript. */
    private interface Helper {
        @Nullable
        Object call(List<String> a);
    }

    private static void addHelpers(ScriptableObject scope, PacHelpers h) {
        add(scope, "isPlainHostName", 1, a -> h.isPlainHostName(a.get(0)));
        add(scope, "dnsDomainIs", 2, a -> h.dnsDomainIs(a.get(0), a.get(1)));
        add(scope, "localHostOrDomainIs", 2, a -> h.localHostOrDomainIs(a.get(0), a.get(1)));
        add(scope, "isResolvable", 1, a -> h.isResolvable(a.get(0)));
        add(scope, "isResolvableEx", 1, a -> h.isResolvableEx(a.get(0)));
        add(scope, "dnsResolve", 1, a -> h.dnsResolve(a.get(0)));
        add(scope, "dnsResolveEx", 1, a -> h.dnsResolveEx(a.get(0)));
        add(scope, "isInNet", 3, a -> h.isInNet(a.get(0), a.get(1), a.get(2)));
        add(scope, "isInNetEx", 2, a -> h.isInNetEx(a.get(0), a.get(1)));
        add(scope, "convert_addr", 1, a -> h.convertAddr(a.get(0)));
        add(scope, "myIpAddress", 0, a -> h.myIpAddress());
        add(scope, "myIpAddressEx", 0, a -> h.myIpAddressEx());
        add(scope, "sortIpAddressList", 1, a -> h.sortIpAddressList(a.get(0)));
        add(scope, "getClientVersion", 0, a -> h.getClientVersion());
        add(scope, "dnsDomainLevels", 1, a -> h.dnsDomainLevels(a.get(0)));
        add(scope, "shExpMatch", 2, a -> h.shExpMatch(a.get(0), a.get(1)));
        add(scope, "weekdayRange", 0, h::weekdayRange);
        add(scope, "dateRange", 0, h::dateRange);
        add(scope, "timeRange", 0, h::timeRange);
        add(scope, "alert", 1, a -> Undefined.instance);
    }

    private static void add(ScriptableObject scope, String name, int arguments, Helper helper) {
        scope.defineProperty(
                name,
                new LambdaFunction(scope, name, arguments, (cx, s, self, given) -> {
                    List<String> texts = new ArrayList<>();
                    for (int i = 0; i < Math.max(arguments, given.length); i++) {
                        texts.add(i < given.length ? Context.toString(given[i]) : "undefined");
                    }
                    return helper.call(texts);
                }),
                ScriptableObject.DONTENUM);
    }

    // ---- the interpreter's bounds

    /** Not an Exception: a script could catch one. */
    private static final class Deadline extends Error {
        private static final long serialVersionUID = 1L;
    }

    /** Contexts that end. */
    private static final class Factory extends ContextFactory {
        private final LongSupplier nanoClock;

        Factory(LongSupplier nanoClock) {
            this.nanoClock = nanoClock;
        }

        Context enter(long deadline) {
            Bounded cx = (Bounded) enterContext();
            cx.deadline = deadline;
            return cx;
        }

        @Override
        protected Context makeContext() {
            Bounded cx = new Bounded(this);
            cx.setInterpretedMode(true); // compiled scripts are not counted in recursion and regular expressions
            cx.setLanguageVersion(Context.VERSION_ES6);
            cx.setInstructionObserverThreshold(OBSERVED_INSTRUCTIONS);
            cx.setMaximumInterpreterStackDepth(MAX_CALL_DEPTH);
            cx.setClassShutter(_ -> false);
            return cx;
        }

        @Override
        protected void observeInstructionCount(Context cx, int instructions) {
            if (nanoClock.getAsLong() - ((Bounded) cx).deadline >= 0) {
                throw new Deadline();
            }
        }
    }

    /** A context with an end. Confined to a call. */
    private static final class Bounded extends Context {
        private long deadline;

        Bounded(ContextFactory factory) {
            super(factory);
        }
    }
}
