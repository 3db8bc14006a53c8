package dev.longshore.vpnkit.flow;

/** A flow as observers see it. Confined to the link's event loop. */
public interface SeenFlow {
    /** False once it has ended: it is left out then. */
    boolean isLive();

    /** The flow as it is now. */
    FlowSnapshot snapshot();

    /** One that was looked at already, by a layer whose flows are few. */
    static SeenFlow of(FlowSnapshot taken) {
        return new SeenFlow() {
            @Override
            public boolean isLive() {
                return true;
            }

            @Override
            public FlowSnapshot snapshot() {
                return taken;
            }
        };
    }
}
