package dev.longshore.backend;

import dev.longshore.control.Ports;
import dev.longshore.control.Status;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Everything that lives as long as one run of the guest. The parts belong to the lifecycle thread; the rest is
 * thread-safe.
 */
interface GuestStack {
    /** In the order in which they start. */
    List<Part> parts();

    Status.Guest guest();

    Status.Engine engine();

    Status.Network network();

    Ports ports();

    /** Flows and frames; null while no network is open. */
    @Nullable
    NetworkView view();

    /** The egress policy; null while no network is open. */
    @Nullable
    PolicyView policy();

    /** The name server; null while no network is open. */
    @Nullable
    DnsView dns();

    /** The ways through proxies; null while no network is open. */
    @Nullable
    ProxyView proxies();

    /** The file server; null while there is none. */
    @Nullable
    FilesView files();

    /** Makes the stack for one run. */
    interface Factory {
        /**
         * Reads the settings and puts the parts together, without starting any.
         *
         * @param ended to be told, once, when the guest or a part that it needs ends by itself: with the reason for the user
         * @throws PartException if the settings do not allow it
         */
        GuestStack create(Ended ended) throws PartException;
    }

    /** The end of a run that nobody asked for. */
    interface Ended {
        void onEnd(String reason);
    }
}
