package dev.longshore.proxy.audit;

/** A flat JSON object in one line of ASCII. Empty texts are left out. */
final class JsonLine {
    private final StringBuilder out = new StringBuilder(256).append('{');

    JsonLine add(String name, String text) {
        if (text.isEmpty()) {
            return this;
        }
        name(name).append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c >= ' ' && c < 0x7F) {
                out.append(c);
            } else {
                out.append("\\u").append(Character.forDigit(c >> 12, 16)).append(Character.forDigit(c >> 8 & 15, 16));
                out.append(Character.forDigit(c >> 4 & 15, 16)).append(Character.forDigit(c & 15, 16));
            }
        }
        out.append('"');
        return this;
    }

    JsonLine add(String name, long number) {
        name(name).append(number);
        return this;
    }

    private StringBuilder name(String name) {
        if (out.length() > 1) {
            out.append(',');
        }
        return out.append('"').append(name).append("\":");
    }

    String end() {
        return out.append('}').toString();
    }
}
