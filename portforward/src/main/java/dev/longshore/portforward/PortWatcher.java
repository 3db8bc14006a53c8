package dev.longshore.portforward;

/** Hears of ports that come and go. Called on the link's event loop; must not block or throw. */
public interface PortWatcher {
    PortWatcher NONE = new PortWatcher() {
        @Override
        public void onExposed(PortSnapshot port) {}

        @Override
        public void onReleased(PortSnapshot port) {}

        @Override
        public void onNotMoved(PortSnapshot port) {}
    };

    void onExposed(PortSnapshot port);

    void onReleased(PortSnapshot port);

    /** A port that a new policy has moved can't be bound where it belongs now: nothing listens, and its note says why. */
    void onNotMoved(PortSnapshot port);
}
