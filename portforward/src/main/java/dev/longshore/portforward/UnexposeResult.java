package dev.longshore.portforward;

/** What {@link PortTable#unexpose} found. */
public enum UnexposeResult {
    RELEASED,
    /** Nothing of that endpoint is in the table. */
    NOT_FOUND,
    /** It belongs to a container: only its end releases it. */
    OWNED_BY_CONTAINER
}
