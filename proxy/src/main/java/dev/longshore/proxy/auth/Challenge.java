package dev.longshore.proxy.auth;

import dev.longshore.proxy.message.Chars;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One challenge of a Proxy-Authenticate field (RFC 9110 §11.6.1). Immutable.
 *
 * @param scheme in small letters
 * @param token the token68 behind it; empty if there is none
 * @param parameters by names in small letters, quoted strings unquoted; of a name that comes twice the first
 */
public record Challenge(String scheme, String token, Map<String, String> parameters) {
    /** More than any proxy offers. */
    private static final int MAX_CHALLENGES = 32;

    public Challenge {
        parameters = Map.copyOf(parameters);
    }

    @Nullable
    String parameter(String name) {
        return parameters.get(name);
    }

    /**
     * All challenges of all field lines. Several may share a line, divided by the same comma that divides their parameters. What
     * cannot be read ends its line: what was understood before it counts.
     */
    public static List<Challenge> parse(List<String> lines) {
        List<Challenge> all = new ArrayList<>();
        for (String line : lines) {
            new Parser(line).into(all);
        }
        return all;
    }

    /** Confined to one call. */
    private static final class Parser {
        private final String line;
        private int at;

        Parser(String line) {
            this.line = line;
        }

        void into(List<Challenge> all) {
            skip(true);
            while (at < line.length() && all.size() < MAX_CHALLENGES) {
                String scheme = token();
                if (scheme.isEmpty()
                        || (at < line.length() && !Chars.isBlank(line.charAt(at)) && line.charAt(at) != ',')) {
                    return;
                }
                skip(false);
                Map<String, String> parameters = new LinkedHashMap<>();
                String token68 = token68();
                boolean whole = !token68.isEmpty() || parameters(parameters);
                all.add(new Challenge(scheme.toLowerCase(Locale.ROOT), token68, parameters));
                if (!whole) {
                    return;
                }
                skip(true);
            }
        }

        /** False if something unreadable came. */
        private boolean parameters(Map<String, String> into) {
            while (at < line.length()) {
                int start = at;
                skip(true);
                String name = token();
                if (name.isEmpty()) {
                    return at == line.length();
                }
                skip(false);
                if (at == line.length() || line.charAt(at) != '=') {
                    at = start; // the next challenge's scheme
                    return true;
                }
                at++;
                skip(false);
                String value = at < line.length() && line.charAt(at) == '"' ? quoted() : token();
                if (value == null) {
                    return false;
                }
                into.putIfAbsent(name.toLowerCase(Locale.ROOT), value);
            }
            return true;
        }

        /** token68 = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=", up to the end or a comma; "" if it is none. */
        private String token68() {
            int end = at;
            while (end < line.length()
                    && (Chars.isAlphanumeric(line.charAt(end)) || "-._~+/".indexOf(line.charAt(end)) >= 0)) {
                end++;
            }
            while (end > at && end < line.length() && line.charAt(end) == '=') {
                end++;
            }
            int next = end;
            while (next < line.length() && Chars.isBlank(line.charAt(next))) {
                next++;
            }
            if (next < line.length() && line.charAt(next) != ',') {
                return "";
            }
            String token = line.substring(at, end);
            at = next;
            return token;
        }

        private String token() {
            int start = at;
            while (at < line.length() && Chars.isTokenChar(line.charAt(at))) {
                at++;
            }
            return line.substring(start, at);
        }

        /** quoted-string, RFC 9110 §5.6.4; null if it does not end. */
        private @Nullable String quoted() {
            StringBuilder text = new StringBuilder();
            for (at++; at < line.length(); at++) {
                char c = line.charAt(at);
                if (c == '"') {
                    at++;
                    return text.toString();
                }
                if (c == '\\' && at + 1 < line.length()) {
                    c = line.charAt(++at);
                }
                text.append(c);
            }
            return null;
        }

        private void skip(boolean commas) {
            while (at < line.length() && (Chars.isBlank(line.charAt(at)) || (commas && line.charAt(at) == ','))) {
                at++;
            }
        }
    }
}
