package dev.longshore.proxy.audit;

/** Takes records. Thread-safe; neither blocks nor throws. */
@FunctionalInterface
public interface Audit {
    Audit NONE = record -> {};

    void add(AuditRecord record);
}
