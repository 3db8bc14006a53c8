package dev.longshore.bench;

import java.util.Optional;

/** A way from a guest to the host. Immutable. */
interface Contender {
    /** For tables: the program, the MTU. */
    String name();

    /** Empty if it can be tried here, else why not. */
    Optional<String> obstacle();

    Guest start(Lab lab);
}
