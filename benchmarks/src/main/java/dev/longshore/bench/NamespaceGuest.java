package dev.longshore.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A network namespace as guest, joined to the host's by one process. One thread. */
final class NamespaceGuest implements Guest {
    private final String namespace;
    private final String target;
    private final String netload;
    private final @Nullable Process stack;
    private final List<Process> helpers;

    /**
     * @param stack ended by {@link #close}, as are {@code helpers}; null if the kernel does it
     */
    NamespaceGuest(Lab lab, String namespace, String target, @Nullable Process stack, List<Process> helpers) {
        this.namespace = namespace;
        this.target = target;
        this.netload = lab.netload().toString();
        this.stack = stack;
        this.helpers = helpers;
    }

    @Override
    public String run(int seconds, List<String> command) {
        return Commands.run(seconds, Lab.in(namespace, command));
    }

    @Override
    public String target() {
        return target;
    }

    @Override
    public String netload() {
        return netload;
    }

    @Override
    public @Nullable Long stack() {
        return stack == null ? null : stack.pid();
    }

    @Override
    public @Nullable Long machine() {
        return null;
    }

    @Override
    public Process hold(List<String> command) {
        try {
            return new ProcessBuilder(Lab.in(namespace, command))
                    .redirectError(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        helpers.forEach(Commands::end);
        if (stack != null) {
            Commands.end(stack);
        }
    }
}
