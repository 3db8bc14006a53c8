package dev.longshore.proxy;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A stream of requests as RFC 9112 reads it where nothing is forgiven: what the proxy is judged by, and who reads what it
 * forwards. It has the whole stream at once and knows one origin, {@code a.test}, so it is short. Immutable.
 *
 * @param messages those that are whole, in order
 * @param end what comes behind them
 */
record StrictReading(List<Message> messages, End end) {
    /** @param path of the target, or {@code *} */
    record Message(String method, String path, String body) {}

    enum End {
        /** Nothing. */
        CLEAN,
        /** The beginning of a message, which may become one. */
        INCOMPLETE,
        /** What can be no message. */
        REFUSED,
        /** Whatever it is, the last message says that the connection ends. */
        CLOSED
    }

    private static final Pattern LINE = Pattern.compile("([\\t\\x20-\\x7e\\x80-\\xff]*+)\\r\\n");
    private static final Pattern START = Pattern.compile(
            "([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}) (?:http://a\\.test)?([/*][^\\x00-\\x20\\x7f#]*) (HTTP/1\\.[01])");
    private static final Pattern FIELD = Pattern.compile("([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\\t ]*([^\\r\\n]*?)[\\t ]*");
    private static final Pattern SIZE =
            Pattern.compile("([0-9A-Fa-f]{1,15})(?:;[\\t\\x20-\\x7e\\x80-\\xff]*+(?<!;))?\\r\\n");
    private static final Pattern CRLF = Pattern.compile("\\r\\n");
    private static final int EMPTY_LINES = 4;

    /** Of bytes as ISO-8859-1. */
    static StrictReading of(String stream) {
        return new Reader(stream).read();
    }

    /** Ends the reading. */
    private static final class Stop extends Exception {
        private static final long serialVersionUID = 1;

        private final transient End end;

        Stop(End end) {
            super(null, null, false, false);
            this.end = end;
        }
    }

    private static final class Reader {
        private final String in;
        private final List<Message> messages = new ArrayList<>();
        private int at;

        Reader(String in) {
            this.in = in;
        }

        StrictReading read() {
            try {
                while (at < in.length()) {
                    message();
                }
                return new StrictReading(messages, End.CLEAN);
            } catch (Stop s) {
                return new StrictReading(messages, s.end);
            }
        }

        /** What must come next: not there yet is something else than not there. */
        @SuppressWarnings("JdkObsolete") // whether more input could make it match is the question
        private Matcher expect(Pattern pattern) throws Stop {
            Matcher m = pattern.matcher(in).region(at, in.length());
            if (!m.lookingAt()) {
                throw new Stop(m.hitEnd() ? End.INCOMPLETE : End.REFUSED);
            }
            at = m.end();
            return m;
        }

        private static Matcher whole(Pattern pattern, String text) throws Stop {
            Matcher m = pattern.matcher(text);
            if (!m.matches()) {
                throw new Stop(End.REFUSED);
            }
            return m;
        }

        private void message() throws Stop {
            String start = "";
            for (int empty = 0; start.isEmpty(); empty++) {
                if (empty > EMPTY_LINES) {
                    throw new Stop(End.REFUSED);
                }
                start = expect(LINE).group(1);
            }
            List<String[]> fields = fields();
            Matcher line = whole(START, start);
            boolean old = line.group(3).equals("HTTP/1.0");
            host(fields, old);
            String body = body(fields, old);
            messages.add(new Message(line.group(1), line.group(2), body));
            if (old) {
                throw new Stop(End.CLOSED);
            }
        }

        private List<String[]> fields() throws Stop {
            List<String[]> fields = new ArrayList<>();
            for (String line = expect(LINE).group(1);
                    !line.isEmpty();
                    line = expect(LINE).group(1)) {
                Matcher field = whole(FIELD, line);
                fields.add(new String[] {field.group(1).toLowerCase(Locale.ROOT), field.group(2)});
            }
            return fields;
        }

        private static List<String> values(List<String[]> fields, String name) {
            return fields.stream().filter(f -> f[0].equals(name)).map(f -> f[1]).toList();
        }

        private static void host(List<String[]> fields, boolean old) throws Stop {
            List<String> hosts = values(fields, "host");
            if (!hosts.equals(List.of("a.test")) && !(old && hosts.isEmpty())) {
                throw new Stop(End.REFUSED);
            }
        }

        private String body(List<String[]> fields, boolean old) throws Stop {
            List<String> codings = values(fields, "transfer-encoding");
            List<String> lengths = values(fields, "content-length");
            if (fields.stream().anyMatch(f -> f[0].equals("transfer_encoding") || f[0].equals("content_length"))) {
                throw new Stop(End.REFUSED);
            }
            if (codings.isEmpty() && lengths.isEmpty()) {
                return "";
            }
            if (codings.isEmpty()) {
                return take(length(lengths));
            }
            if (old
                    || !lengths.isEmpty()
                    || codings.size() > 1
                    || !codings.getFirst().equalsIgnoreCase("chunked")) {
                throw new Stop(End.REFUSED);
            }
            return chunks();
        }

        private static long length(List<String> lengths) throws Stop {
            if (lengths.size() > 1 || !lengths.getFirst().matches("[0-9]{1,18}")) {
                throw new Stop(End.REFUSED);
            }
            return Long.parseLong(lengths.getFirst());
        }

        private String take(long bytes) throws Stop {
            if (bytes > in.length() - at) {
                throw new Stop(End.INCOMPLETE);
            }
            String taken = in.substring(at, at + (int) bytes);
            at += (int) bytes;
            return taken;
        }

        private String chunks() throws Stop {
            StringBuilder body = new StringBuilder();
            for (long size = size(); size > 0; size = size()) {
                body.append(take(size));
                expect(CRLF);
            }
            fields();
            return body.toString();
        }

        private long size() throws Stop {
            return Long.parseLong(expect(SIZE).group(1), 16);
        }
    }
}
