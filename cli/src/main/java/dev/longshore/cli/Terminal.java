package dev.longshore.cli;

import java.io.PrintWriter;

/**
 * Where a command writes. Results go to standard output, so that {@code eval "$(longshore up)"} works; everything said on
 * the way goes to standard error. Confined to the command's thread.
 *
 * @param live standard error is a terminal on which a line can be overwritten
 */
record Terminal(PrintWriter out, PrintWriter err, boolean live) {
    void say(String line) {
        err.println(line);
        err.flush();
    }

    void result(String line) {
        out.println(line);
        out.flush();
    }
}
