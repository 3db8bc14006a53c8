package dev.longshore.policy;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.ContainerIdentity;

/** Who begins something. Immutable. */
public sealed interface Who {
    Who GUEST = new Guest();

    /** The guest itself, or a container that has the guest's network. */
    record Guest() implements Who {
        @Override
        public String toString() {
            return "the guest";
        }
    }

    record Container(ContainerIdentity identity) implements Who {
        @Override
        public String toString() {
            return "container " + identity.name();
        }
    }

    /** Somebody behind the guest of whom nobody knows: only rules without {@code from} fit. */
    record Unknown(IpAddress address) implements Who {
        @Override
        public String toString() {
            return "unknown " + address;
        }
    }
}
