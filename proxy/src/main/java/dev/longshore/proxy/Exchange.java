package dev.longshore.proxy;

import dev.longshore.proxy.message.BodyFraming;
import dev.longshore.proxy.message.BodyReader;
import dev.longshore.proxy.message.Chars;
import dev.longshore.proxy.message.Fields;
import dev.longshore.proxy.message.HeadWriter;
import dev.longshore.proxy.message.HopByHop;
import dev.longshore.proxy.message.HttpVersion;
import dev.longshore.proxy.message.RequestHead;
import dev.longshore.proxy.message.ResponseHead;
import dev.longshore.proxy.upstream.Request;
import dev.longshore.proxy.upstream.UpstreamSettings;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One request of a guest to an origin and what its messages look like on the other side: pure rewriting, no channel.
 * Confined to the guest connection's event loop.
 */
final class Exchange implements Request {
    /** The most that we count: RFC 9110 §7.6.2. */
    private static final int MAX_FORWARDS = 999_999_999;

    private final RequestHead request;
    private final Admission.Forward forward;
    private final UpstreamSettings settings;
    private final BodyReader requestBody;
    private final boolean lastOfClient;
    private boolean chunkedToGuest;
    private boolean responseStarted;
    private boolean closesGuest;
    private boolean retried;
    private final ByteBufAllocator alloc;
    private final @Nullable String guestAuthorization;
    private boolean toProxy;
    private final boolean withUpgrade;

    Exchange(RequestHead request, Admission.Forward forward, UpstreamSettings settings, ByteBufAllocator alloc) {
        this.alloc = alloc;
        this.guestAuthorization =
                settings.passAuthorization() ? request.fields().first("Proxy-Authorization") : null;
        this.request = request;
        this.forward = forward;
        this.settings = settings;
        this.requestBody = new BodyReader(forward.framing(), false);
        // An HTTP/1.0 client that asks for keep-alive would need a Content-Length on every answer.
        this.lastOfClient = isHttp10() || HopByHop.closes(request.version(), request.fields());
        this.closesGuest = lastOfClient;
        this.withUpgrade = !isHttp10() && HopByHop.upgrades(request.fields()) && !offersOnlyH2c();
    }

    /** Whom the next {@link #head} is for: a proxy, in absolute-form, or the origin. */
    void sendTo(boolean proxy) {
        toProxy = proxy;
    }

    /**
     * To HTTP/2, which every request of some clients offers and no origin needs to take. HTTP2-Settings is for the next server only, so the
     * offer would lack what it must have (RFC 7540 §3.2.1).
     */
    private boolean offersOnlyH2c() {
        return request.fields().tokens("Upgrade").equals(List.of("h2c"));
    }

    /** The guest's own Proxy-Authorization, where it goes on; else null. */
    @Nullable
    String guestAuthorization() {
        return guestAuthorization;
    }

    @Override
    public boolean authenticatesItself() {
        return guestAuthorization != null;
    }

    @Override
    public String target() {
        String rest = forward.target().equals("*") ? "" : forward.target(); // RFC 9112 §3.2.4
        return toProxy ? "http://" + forward.hostField() + rest : forward.target();
    }

    @Override
    public boolean hasBody() {
        return !(forward.framing() instanceof BodyFraming.None);
    }

    /** Without Max-Forwards: some proxies answer what ends at them without asking who is there. */
    @Override
    public ByteBuf probe(@Nullable String proxyAuthorization) {
        Fields out = new Fields().add("Host", forward.hostField());
        addVia(out.add("Content-Length", "0"), settings, HttpVersion.HTTP_1_1);
        if (proxyAuthorization != null) {
            out.add("Proxy-Authorization", proxyAuthorization);
        }
        return HeadWriter.head(alloc, PROBE_METHOD + " " + target() + " HTTP/1.1", out);
    }

    Admission.Forward forward() {
        return forward;
    }

    @Override
    public String method() {
        return request.method();
    }

    BodyReader requestBody() {
        return requestBody;
    }

    boolean responseStarted() {
        return responseStarted;
    }

    /** True once the guest connection cannot be used behind this exchange. */
    boolean closesGuest() {
        return closesGuest;
    }

    boolean isHttp10() {
        return request.version() == HttpVersion.HTTP_1_0;
    }

    @Override
    public boolean offersUpgrade() {
        return withUpgrade;
    }

    /** True once: RFC 9110 §9.2.2, with nothing of a body sent yet. */
    boolean mayRetry() {
        boolean may = !retried && request.isIdempotent() && forward.framing() instanceof BodyFraming.None;
        retried = true;
        return may;
    }

    @Override
    public ByteBuf head(@Nullable String proxyAuthorization) {
        Fields out = new Fields().add("Host", forward.hostField());
        List<String> options = new ArrayList<>();
        for (Fields.Field f : HopByHop.forwardable(request.fields()).remove("Host")) {
            out.add(f.name(), f.value());
        }
        if (isHttp10()) {
            out.remove("Expect"); // RFC 9110 §10.1.1
        }
        if (request.fields().tokens("TE").contains("trailers")) {
            out.add("TE", "trailers");
            options.add("TE");
        }
        if (offersUpgrade()) {
            request.fields().all("Upgrade").forEach(u -> out.add("Upgrade", u));
            options.add("Upgrade");
        }
        addFraming(out, forward.framing());
        decrementMaxForwards(out);
        if (!options.isEmpty()) {
            out.add("Connection", String.join(", ", options));
        }
        String authorization = guestAuthorization != null ? guestAuthorization : proxyAuthorization;
        if (toProxy && authorization != null) {
            out.add("Proxy-Authorization", authorization);
        }
        addVia(out, settings, request.version());
        return HeadWriter.head(alloc, request.method() + " " + target() + " HTTP/1.1", out);
    }

    /** RFC 9110 §7.6.2; 0 was answered by us. */
    private void decrementMaxForwards(Fields out) {
        String value = out.first("Max-Forwards");
        if (value != null && countsForwards(request) && Chars.isDigits(value)) {
            int left = value.length() < 10 ? Integer.parseInt(value) - 1 : MAX_FORWARDS;
            out.set("Max-Forwards", String.valueOf(left));
        }
    }

    /** TRACE and OPTIONS, the only methods Max-Forwards is defined for. */
    private static boolean countsForwards(RequestHead head) {
        return head.method().equals("TRACE") || head.method().equals("OPTIONS");
    }

    /** Max-Forwards has run out: RFC 9110 §7.6.2. */
    static boolean isLastHop(RequestHead head) {
        String value = head.fields().first("Max-Forwards");
        return value != null && countsForwards(head) && value.matches("0+");
    }

    /** RFC 9110 §9.3.8: the request as it came, to TRACE. The caller owns the buffer. */
    static ByteBuf reflection(ByteBufAllocator alloc, RequestHead head, boolean closes) {
        String line = head.method() + " " + head.target() + " " + head.version();
        ByteBuf request = HeadWriter.head(alloc, line, HopByHop.reflectable(head.fields()));
        Fields fields = new Fields().add("Content-Type", "message/http");
        fields.add("Content-Length", String.valueOf(request.readableBytes())).add("Cache-Control", "no-store");
        if (closes) {
            fields.add("Connection", "close");
        }
        return Unpooled.wrappedBuffer(HeadWriter.head(alloc, "HTTP/1.1 200 OK", fields), request);
    }

    private static void addFraming(Fields out, BodyFraming framing) {
        switch (framing) {
            case BodyFraming.Length l -> out.add("Content-Length", String.valueOf(l.bytes()));
            case BodyFraming.Chunked _ -> out.add("Transfer-Encoding", "chunked");
            case BodyFraming.None _, BodyFraming.UntilClose _ -> {}
        }
    }

    /** The caller owns the buffer. */
    ByteBuf interimHead(ResponseHead head) {
        return HeadWriter.head(alloc, statusLine(head), responseFields(head));
    }

    /** The caller owns the buffer. */
    ByteBuf switchedHead(ResponseHead head) {
        Fields out = responseFields(head);
        head.fields().all("Upgrade").forEach(u -> out.add("Upgrade", u));
        return HeadWriter.head(alloc, statusLine(head), out.add("Connection", "Upgrade"));
    }

    /** Decides how the response ends for the guest. The caller owns the buffer. */
    ByteBuf responseHead(ResponseHead head, BodyFraming framing) {
        responseStarted = true;
        chunkedToGuest = framing instanceof BodyFraming.Chunked && !isHttp10();
        boolean unread =
                head.status() >= 300 && !requestBody.isDone(); // nobody wants the rest, and nobody will read it
        closesGuest = lastOfClient || unread || framing instanceof BodyFraming.UntilClose;
        Fields out = responseFields(head);
        if (framing instanceof BodyFraming.None) {
            keepLength(out, head);
        } else if (chunkedToGuest || framing instanceof BodyFraming.Length) {
            addFraming(out, framing);
        }
        if (head.status() == 426) { // RFC 9110 §15.5.22: says which protocol in Upgrade
            head.fields().all("Upgrade").forEach(u -> out.add("Upgrade", u));
        }
        if (closesGuest) {
            out.add("Connection", "close");
        }
        return HeadWriter.head(alloc, statusLine(head), out);
    }

    /** To HEAD and in 304 the length tells what GET would have got; in 204 it must not be there. */
    private static void keepLength(Fields out, ResponseHead head) {
        List<String> lengths =
                head.fields().tokens("Content-Length").stream().distinct().toList();
        if (head.status() != 204 && lengths.size() == 1 && Chars.isDigits(lengths.getFirst())) {
            out.add("Content-Length", lengths.getFirst());
        }
    }

    private Fields responseFields(ResponseHead head) {
        Fields out = HopByHop.forwardable(head.fields());
        if (toProxy && guestAuthorization != null) {
            head.fields().all("Proxy-Authenticate").forEach(c -> out.add("Proxy-Authenticate", c));
        }
        return addVia(out, settings, head.version());
    }

    private static Fields addVia(Fields out, UpstreamSettings settings, HttpVersion version) {
        String via = settings.via(version.toString().substring("HTTP/".length()));
        return via == null ? out : out.add("Via", via);
    }

    /**
     * A proxy's answer to CONNECT that opened no tunnel. The caller owns the buffer.
     *
     * @param page bytes of its body
     */
    static ByteBuf refusedTunnelHead(
            ByteBufAllocator alloc, ResponseHead head, int page, UpstreamSettings settings, boolean withChallenges) {
        Fields out = HopByHop.forwardable(head.fields());
        if (withChallenges) {
            head.fields().all("Proxy-Authenticate").forEach(c -> out.add("Proxy-Authenticate", c));
        }
        addVia(out, settings, head.version()).add("Content-Length", String.valueOf(page));
        return HeadWriter.head(alloc, statusLine(head), out.add("Connection", "close"));
    }

    private static String statusLine(ResponseHead head) {
        return "HTTP/1.1 " + head.status() + " " + head.reason();
    }

    boolean chunkedToOrigin() {
        return forward.framing() instanceof BodyFraming.Chunked;
    }

    boolean chunkedToGuest() {
        return chunkedToGuest;
    }
}
