package dev.longshore.portforward;

/** Makes the host's end of a port, closed yet. Tests have their own. */
@FunctionalInterface
interface ListenerFactory {
    HostListener create(Forward forward, Traffic traffic);
}
