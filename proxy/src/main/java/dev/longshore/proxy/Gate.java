package dev.longshore.proxy;

/** Decides what a request of a guest means, or why it is refused. Immutable. */
interface Gate {
    Admission admit(RequestHead head) throws BadMessage;
}
