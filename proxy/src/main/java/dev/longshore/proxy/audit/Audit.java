package dev.longshore.proxy.audit;

/** Takes records. Thread-safe; neither blocks nor throws. */
@FunctionalInterface
public interface Audit {
    Audit NONE = record -> {};

    void add(AuditRecord record);

    /** One has begun that will be added when it has ended. */
    default void begun(AuditRecord.Kind kind) {}
}
