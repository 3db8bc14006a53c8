package dev.longshore.config;

import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What the guest and its containers may begin with the world: ordered rules, of which the first that fits decides, and what
 * holds where none does. As written in the settings; the module {@code policy} decides by it. Immutable.
 *
 * @param byDefault for what no rule fits
 */
public record EgressPolicy(Mode mode, Action byDefault, List<Rule> rules) {
    /** Bounds what every new flow may cost. */
    public static final int MAX_RULES = 1_000;

    /** Of one list in a rule. */
    public static final int MAX_ENTRIES = 1_000;

    /** Everything is allowed. */
    public static final EgressPolicy NONE = new EgressPolicy(Mode.ENFORCE, Action.ALLOW, List.of());

    public EgressPolicy {
        rules = List.copyOf(rules);
    }

    /** Whether it is obeyed. */
    public enum Mode {
        ENFORCE,
        /** Everything is let through; what would have been denied is told and counted. */
        DRY_RUN,
        /** As if there were no rules, and the default were to allow. */
        OFF
    }

    public enum Action {
        ALLOW,
        DENY
    }

    public enum Protocol {
        TCP,
        UDP,
        /** Pings, of both families. */
        ICMP
    }

    /** As JSON text, as the settings take it. */
    public String toJson() {
        return EgressType.toJson(new EgressType().written(this));
    }

    /** True if it can neither deny nor tell anything. */
    public boolean isInactive() {
        return mode == Mode.OFF || (byDefault == Action.ALLOW && rules.isEmpty());
    }

    /**
     * One rule. It fits what fits each of its parts.
     *
     * @param name for people: unique, never empty
     * @param dryRun it decides nothing: what it would have changed is told and counted, and the rules behind it go on
     * @param log each decision is an event and a line in the log; what is denied is told anyway
     * @param from null for everybody, and then for those too of whom nobody knows who they are
     * @param to any of these; empty for everywhere
     * @param ports any of these; empty for all, and for pings, which have none
     * @param protocols never empty
     */
    public record Rule(
            String name,
            Action action,
            boolean dryRun,
            boolean log,
            @Nullable From from,
            List<To> to,
            List<Ports> ports,
            Set<Protocol> protocols) {
        public Rule {
            to = List.copyOf(to);
            ports = List.copyOf(ports);
            protocols = Set.copyOf(EnumSet.copyOf(protocols));
        }

        /** As JSON text, as the settings take it. */
        public String toJson() {
            return EgressType.toJson(EgressType.written(this));
        }
    }

    /** Who begins something. */
    public sealed interface From {
        /** The guest itself: the Engine's pulls, and containers with the guest's network ({@code --net=host}). */
        record Guest() implements From {}

        /**
         * Containers. Each list holds globs ({@code *} for any characters, {@code ?} for one) of which any has to fit; an empty one
         * fits all.
         *
         * @param names of containers
         * @param images as the container was asked for
         * @param projects Compose's
         * @param services Compose's
         * @param networks any network of the container's
         */
        record Containers(
                List<String> names,
                List<String> images,
                List<String> projects,
                List<String> services,
                List<String> networks)
                implements From {
            public Containers {
                names = List.copyOf(names);
                images = List.copyOf(images);
                projects = List.copyOf(projects);
                services = List.copyOf(services);
                networks = List.copyOf(networks);
            }
        }
    }

    /** Where to. */
    public sealed interface To {
        /** Addresses, as the guest sees them. */
        record Network(IpPrefix prefix) implements To {
            @Override
            public String toString() {
                return prefix.toString();
            }
        }

        /**
         * A host's name.
         *
         * @param name in lower case, without a trailing dot
         * @param below true for all names that end in a dot and this one ({@code *.example.com}), and not itself
         */
        record Name(String name, boolean below) implements To {
            @Override
            public String toString() {
                return below ? "*." + name : name;
            }
        }

        /** The host's own services, {@code host.docker.internal}. */
        record Host() implements To {
            static final String NAME = "host.docker.internal";

            @Override
            public String toString() {
                return NAME;
            }
        }
    }

    /** From one to another, both included, 1..65535. */
    public record Ports(int first, int last) {
        public Ports {
            if (first < 1 || last > 65_535 || first > last) {
                throw new IllegalArgumentException("ports " + first + " to " + last);
            }
        }

        @Override
        public String toString() {
            return first == last ? String.valueOf(first) : first + "-" + last;
        }
    }
}
