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
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.util.ArrayList;
import java.util.List;

/**
 * One request of a guest to an origin and what its messages look like on the other side: pure rewriting, no channel.
 * Confined to the guest connection's event loop.
 */
final class Exchange {
    private final RequestHead request;
    private final Admission.Forward forward;
    private final String pseudonym;
    private final BodyReader requestBody;
    private final boolean lastOfClient;
    private boolean chunkedToGuest;
    private boolean responseStarted;
    private boolean closesGuest;
    private boolean retried;

    Exchange(RequestHead request, Admission.Forward forward, String pseudonym) {
        this.request = request;
        this.forward = forward;
        this.pseudonym = pseudonym;
        this.requestBody = new BodyReader(forward.framing(), false);
        // An HTTP/1.0 client that asks for keep-alive would need a Content-Length on every answer.
        this.lastOfClient = isHttp10() || HopByHop.closes(request.version(), request.fields());
        this.closesGuest = lastOfClient;
    }

    Admission.Forward forward() {
        return forward;
    }

    String method() {
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

    boolean offersUpgrade() {
        return !isHttp10() && HopByHop.upgrades(request.fields());
    }

    /** True once: RFC 9110 §9.2.2, with nothing of a body sent yet. */
    boolean mayRetry() {
        boolean may = !retried && request.isIdempotent() && forward.framing() instanceof BodyFraming.None;
        retried = true;
        return may;
    }

    /** The caller owns the buffer. */
    ByteBuf requestHead(ByteBufAllocator alloc) {
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
        out.add("Via", version(request.version()) + " " + pseudonym);
        return HeadWriter.head(alloc, request.method() + " " + forward.target() + " HTTP/1.1", out);
    }

    /** RFC 9110 §7.6.2; 0 was answered by us. */
    private void decrementMaxForwards(Fields out) {
        String value = out.first("Max-Forwards");
        if (value != null && countsForwards(request) && Chars.isDigits(value) && value.length() < 10) {
            out.set("Max-Forwards", String.valueOf(Math.max(0, Integer.parseInt(value) - 1)));
        }
    }

    /** TRACE and OPTIONS, the only methods Max-Forwards is defined for. */
    static boolean countsForwards(RequestHead head) {
        return head.method().equals("TRACE") || head.method().equals("OPTIONS");
    }

    private static void addFraming(Fields out, BodyFraming framing) {
        switch (framing) {
            case BodyFraming.Length l -> out.add("Content-Length", String.valueOf(l.bytes()));
            case BodyFraming.Chunked _ -> out.add("Transfer-Encoding", "chunked");
            case BodyFraming.None _, BodyFraming.UntilClose _ -> {}
        }
    }

    /** The caller owns the buffer. */
    ByteBuf interimHead(ByteBufAllocator alloc, ResponseHead head) {
        return HeadWriter.head(alloc, statusLine(head), responseFields(head));
    }

    /** The caller owns the buffer. */
    ByteBuf switchedHead(ByteBufAllocator alloc, ResponseHead head) {
        Fields out = responseFields(head);
        head.fields().all("Upgrade").forEach(u -> out.add("Upgrade", u));
        return HeadWriter.head(alloc, statusLine(head), out.add("Connection", "Upgrade"));
    }

    /** Decides how the response ends for the guest. The caller owns the buffer. */
    ByteBuf responseHead(ByteBufAllocator alloc, ResponseHead head, BodyFraming framing) {
        responseStarted = true;
        chunkedToGuest = framing instanceof BodyFraming.Chunked && !isHttp10();
        closesGuest = lastOfClient || framing instanceof BodyFraming.UntilClose;
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
        return HopByHop.forwardable(head.fields()).add("Via", version(head.version()) + " " + pseudonym);
    }

    private static String statusLine(ResponseHead head) {
        return "HTTP/1.1 " + head.status() + " " + head.reason();
    }

    private static String version(HttpVersion version) {
        return version.toString().substring("HTTP/".length());
    }

    boolean chunkedToOrigin() {
        return forward.framing() instanceof BodyFraming.Chunked;
    }

    boolean chunkedToGuest() {
        return chunkedToGuest;
    }
}
