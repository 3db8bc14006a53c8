package dev.longshore.portforward;

/** Hears of ports that come and go. Called on the link's event loop; must not block or throw. */
public interface PortWatcher {
    PortWatcher NONE = new PortWatcher() {
        @Override
        public void onExposed(PortSnapshot port) {}

        @Override
        public void onReleased(PortSnapshot port) {}
    };

    void onExposed(PortSnapshot port);

    void onReleased(PortSnapshot port);
}
