package dev.longshore.proxy.intercept;

import java.util.BitSet;

/** The remotes' TCP ports whose connections may be taken. Immutable. */
public final class TransparentPorts {
    public static final TransparentPorts NONE = new TransparentPorts(false, new BitSet());

    private final boolean all;
    private final BitSet ports;

    private TransparentPorts(boolean all, BitSet ports) {
        this.all = all;
        this.ports = ports;
    }

    /**
     * As the setting {@code containersProxy.transparentPorts} has it: {@code 80,443}, {@code *} for all, empty for none.
     *
     * @throws IllegalArgumentException for anything else
     */
    public static TransparentPorts parse(String text) {
        String trimmed = text.strip();
        if (trimmed.isEmpty()) {
            return NONE;
        }
        if (trimmed.equals("*")) {
            return new TransparentPorts(true, new BitSet());
        }
        BitSet ports = new BitSet();
        for (String part : trimmed.split(",", -1)) {
            String digits = part.strip();
            int port = digits.matches("[0-9]{1,5}") ? Integer.parseInt(digits) : 0;
            if (port < 1 || port > 65_535) {
                throw new IllegalArgumentException("'" + digits + "' is no port: 80,443, or * for all");
            }
            ports.set(port);
        }
        return new TransparentPorts(false, ports);
    }

    public boolean contains(int port) {
        return all || ports.get(port);
    }
}
