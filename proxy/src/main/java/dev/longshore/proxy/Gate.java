package dev.longshore.proxy;

import dev.longshore.proxy.audit.AuditRecord;
import dev.longshore.proxy.message.BadMessage;
import dev.longshore.proxy.message.RequestHead;

/** Decides what a request of a guest means, or why it is refused. Immutable. */
interface Gate {
    Admission admit(RequestHead head) throws BadMessage;

    /** What a request is to the audit that goes to an origin. */
    AuditRecord.Kind kind();
}
