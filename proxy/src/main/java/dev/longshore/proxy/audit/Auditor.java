package dev.longshore.proxy.audit;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.Destination;
import io.netty.channel.EventLoop;
import java.time.InstantSource;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Begins entries. Thread-safe as far as its parts are. */
public final class Auditor {
    /** Keeps nothing. */
    public static final Auditor NONE = new Auditor(Audit.NONE, InstantSource.system(), source -> "");

    /** Of a path or an error's text: what is longer is the guest's to choose, and thousands of records are kept. */
    static final int MAX_CHARS = 1000;

    private final Audit audit;
    private final InstantSource clock;
    private final Function<IpAddress, String> containers;

    /**
     * @param clock for the time of day
     * @param containers the name of the container that has an address now, or empty; asked on the connection's event loop, when
     *     an entry begins
     */
    public Auditor(Audit audit, InstantSource clock, Function<IpAddress, String> containers) {
        this.audit = audit;
        this.clock = clock;
        this.containers = containers;
    }

    /**
     * An entry that begins now.
     *
     * @param method of HTTP, or empty
     * @param target of the request, whose query is left out, and what is longer than {@link #MAX_CHARS}; empty for tunnels
     * @param loop the connection's
     */
    public AuditEntry begin(AuditRecord.Kind kind, String method, Destination to, String target, EventLoop loop) {
        int query = target.indexOf('?');
        return entry(
                kind,
                method,
                host(to),
                to.port(),
                named(kind, to),
                cut(query < 0 ? target : target.substring(0, query)),
                to.source(),
                loop);
    }

    /** A name without its address is what the guest says, which may mean another address than the connection's. */
    private static AuditRecord.Named named(AuditRecord.Kind kind, Destination to) {
        if (to.name() == null) {
            return AuditRecord.Named.NONE;
        }
        return switch (kind) {
            case REQUEST -> AuditRecord.Named.TARGET;
            case CONNECT -> AuditRecord.Named.CONNECT;
            case TAKEN_REQUEST -> to.address() == null ? AuditRecord.Named.HOST : AuditRecord.Named.DNS;
            case TAKEN_TUNNEL -> to.address() == null ? AuditRecord.Named.SNI : AuditRecord.Named.DNS;
            case INVALID -> AuditRecord.Named.NONE;
        };
    }

    static String cut(String text) {
        return text.length() <= MAX_CHARS ? text : text.substring(0, MAX_CHARS);
    }

    private static String host(Destination to) {
        String name = to.name();
        return name != null ? name : String.valueOf(to.address());
    }

    /** An entry for what could not be understood. */
    public AuditEntry invalid(@Nullable IpAddress source, EventLoop loop) {
        return entry(AuditRecord.Kind.INVALID, "", "", 0, AuditRecord.Named.NONE, "", source, loop);
    }

    private AuditEntry entry(
            AuditRecord.Kind kind,
            String method,
            String host,
            int port,
            AuditRecord.Named named,
            String path,
            @Nullable IpAddress source,
            EventLoop loop) {
        String container = source == null ? "" : containers.apply(source);
        return new AuditEntry(audit, clock, loop, kind, method, host, port, named, path, source, container);
    }
}
