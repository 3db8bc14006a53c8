package dev.longshore.portforward;

/** The counters of one published port. Confined to the link's event loop. */
final class Traffic {
    long active;
    long total;
    long bytesToGuest;
    long bytesFromGuest;

    void opened() {
        active++;
        total++;
    }

    void closed() {
        active--;
        assert active >= 0;
    }
}
