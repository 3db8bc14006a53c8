package dev.longshore.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.longshore.config.PortBinding;
import dev.longshore.engine.http.BadMessage;
import dev.longshore.engine.http.BodyScanner;
import dev.longshore.engine.http.Framing;
import dev.longshore.engine.http.HeadScanner;
import dev.longshore.engine.http.RequestHead;
import dev.longshore.engine.http.ResponseHead;
import dev.longshore.engine.policy.ApiGate;
import dev.longshore.engine.policy.ApiPolicy;
import dev.longshore.engine.policy.ApiRequest;
import dev.longshore.engine.policy.ApiRuling;
import dev.longshore.engine.policy.ApiVerdict;
import dev.longshore.engine.policy.BindSource;
import dev.longshore.engine.policy.BoundAddresses;
import dev.longshore.engine.policy.MountPolicy;
import dev.longshore.portforward.BindPolicy;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Any bytes as requests, answers and bodies of requests: refused or understood, the same however they are cut; and another
 * parser sees the same requests in what the Engine gets. How to search: {@code ./longshore fuzz}.
 */
class EngineFuzzTest {
    // ---- the two scanners

    /** What a stream of messages comes to: where the first message ends, or the status of its refusal. */
    private record Outcome(int refused, long end, String head) {}

    @FuzzTest(maxDuration = "2m")
    void apiRequest(byte[] input) {
        Outcome whole = request(input, Math.max(1, input.length));
        assertThat(request(input, 1)).as("byte by byte").isEqualTo(whole);
        assertThat(request(input, 7)).as("in pieces of 7").isEqualTo(whole);
    }

    private static Outcome request(byte[] input, int piece) {
        return outcome(input, piece, HeadScanner.ofRequests(), (scanner, in, length) -> {
            RequestHead head = scanner.request(in, length);
            ApiRequest request = ApiRequest.of(head.method(), head.target());
            assertThat(request.path()).startsWith("/");
            assertThat(request.path()).doesNotContain("//", "/./", "/../");
            return new Parsed(head.toString(), BodyScanner.ofRequest(Framing.ofRequest(head), BodyScanner.IGNORED));
        });
    }

    @FuzzTest(maxDuration = "2m")
    void apiAnswer(byte[] input) {
        Outcome whole = answer(input, Math.max(1, input.length));
        assertThat(answer(input, 1)).as("byte by byte").isEqualTo(whole);
        assertThat(answer(input, 7)).as("in pieces of 7").isEqualTo(whole);
    }

    private static Outcome answer(byte[] input, int piece) {
        return outcome(input, piece, HeadScanner.ofResponses(), (scanner, in, length) -> {
            ResponseHead head = scanner.response(in, length);
            return new Parsed(
                    head.toString(), BodyScanner.ofResponse(Framing.ofResponse(head, false), BodyScanner.IGNORED));
        });
    }

    private record Parsed(String head, BodyScanner body) {}

    private interface Parser {
        Parsed parse(HeadScanner scanner, ByteBuf in, int length) throws BadMessage;
    }

    private static Outcome outcome(byte[] input, int piece, HeadScanner scanner, Parser parser) {
        ByteBuf in = Unpooled.buffer();
        Parsed parsed = null;
        try {
            for (int at = 0; at < input.length; at += piece) {
                in.writeBytes(input, at, Math.min(piece, input.length - at));
                if (parsed == null) {
                    int length = scanner.scan(in);
                    if (length > 0) {
                        parsed = parser.parse(scanner, in, length);
                        in.skipBytes(length);
                    }
                }
                if (parsed != null) {
                    in.skipBytes(parsed.body.scan(in, in.readerIndex(), in.readableBytes()));
                    if (parsed.body.isDone()) {
                        return new Outcome(0, in.readerIndex(), parsed.head);
                    }
                }
            }
            return new Outcome(0, -1, parsed == null ? "" : parsed.head);
        } catch (BadMessage e) {
            assertThat(e.status()).isBetween(400, 599);
            return new Outcome(e.status(), -1, parsed == null ? "" : parsed.head);
        }
    }

    // ---- whole connections

    /** Remembers what was let through. */
    private static final class Witness implements ApiPolicy {
        final List<String> methods = new ArrayList<>();

        @Override
        public boolean concerns(ApiRequest request) {
            methods.add(request.method());
            return false;
        }

        @Override
        public CompletionStage<ApiVerdict> judge(ApiRequest request, ObjectNode body) {
            return CompletableFuture.completedStage(ApiVerdict.PASS);
        }
    }

    /** Input: how it is cut, then what the caller says. The Engine answers everything by 200. */
    @FuzzTest(maxDuration = "2m")
    void apiConnection(byte[] input) {
        if (input.length == 0) {
            return;
        }
        Witness witness = new Witness();
        ConnectionRig rig = new ConnectionRig(new ApiGate(List.of(witness), List.of()));
        int piece = 1 + (input[0] & 0xFF);
        StringBuilder atEngine = new StringBuilder();
        int answered = 0;
        for (int at = 1; at < input.length && rig.caller.isOpen(); at += piece) {
            int n = Math.min(piece, input.length - at);
            ConnectionRig.send(rig.caller, new String(input, at, n, StandardCharsets.ISO_8859_1));
            atEngine.append(rig.atEngine());
            while (answered < witness.methods.size() && rig.engine.isOpen()) {
                boolean head = witness.methods.get(answered++).equals("HEAD");
                ConnectionRig.send(rig.engine, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (head ? "" : "OK"));
                atEngine.append(rig.atEngine());
            }
        }
        String all = new String(input, 1, input.length - 1, StandardCharsets.ISO_8859_1);
        assertThat(withoutEmptyLines(all)).startsWith(withoutEmptyLines(atEngine.toString()));
        List<String> seen = requestsIn(atEngine.toString());
        // The last one may have been cut off by something bad behind it.
        int least = witness.methods.size() - (rig.engine.isOpen() ? 0 : 1);
        assertThat(seen.size()).isBetween(least, witness.methods.size());
        assertThat(seen).isEqualTo(witness.methods.subList(0, seen.size()));
        rig.atCaller();
        rig.caller.receiveEof();
        rig.engine.close();
        rig.caller.pass(3600);
        rig.atCaller();
        rig.caller.checkException();
        rig.engine.checkException();
        assertThat(rig.caller.isOpen()).isFalse();
        rig.engine.releaseOutbound();
    }

    /** Those before a request are left out. */
    private static String withoutEmptyLines(String s) {
        return s.replaceAll("[\r\n]", "");
    }

    /** The methods of the requests that Netty's parser sees, which is a lenient one. */
    private static List<String> requestsIn(String bytes) {
        int limit = 2 * HeadScanner.MAX_BYTES;
        EmbeddedChannel parser = new EmbeddedChannel(new HttpRequestDecoder(
                new HttpDecoderConfig().setMaxInitialLineLength(limit).setMaxHeaderSize(limit)));
        parser.writeInbound(Unpooled.copiedBuffer(bytes, StandardCharsets.ISO_8859_1));
        List<String> methods = new ArrayList<>();
        for (Object o = parser.readInbound(); o != null; o = parser.readInbound()) {
            if (o instanceof HttpRequest request) {
                assertThat(request.decoderResult().isFailure())
                        .as(() -> String.valueOf(request.decoderResult()))
                        .isFalse();
                methods.add(request.method().name());
            }
            ReferenceCountUtil.release(o);
        }
        parser.finishAndReleaseAll();
        return methods;
    }

    // ---- bodies

    /** Input: a container's configuration, and an answer of the Engine. */
    @FuzzTest(maxDuration = "2m")
    void apiBody(byte[] input) {
        ApiGate gate = new ApiGate(
                List.of(new MountPolicy(
                        List.of((path, missing) -> CompletableFuture.completedStage(
                                path.startsWith("/a") ? new BindSource.InGuest("/b") : BindSource.UNKNOWN)),
                        () -> "Advice.")),
                List.of(new BoundAddresses(() -> BindPolicy.of(PortBinding.LOCAL_ONLY_PORT_BINDING))));
        ApiRequest request = new ApiRequest("POST", "", "/containers/create", "");
        ApiRequest list = new ApiRequest("GET", "", "/containers/json", "");
        gate.corrected(list, input).ifPresent(shown -> assertThat(gate.corrected(list, shown))
                .as("what was corrected needs no more of it")
                .isEmpty());

        ApiRuling first = judge(gate, request, input);
        byte[] json = changed(first);
        if (json != null) {
            ApiRuling second = judge(gate, request, json);
            assertThat(second)
                    .as("what was changed needs no change, and is not refused")
                    .satisfies(r -> {
                        if (r instanceof ApiRuling.Refusal refusal) {
                            assertThat(refusal.status()).isEqualTo(500); // /b is nobody's
                        }
                    });
        }
    }

    private static byte @Nullable [] changed(ApiRuling ruling) {
        return ruling instanceof ApiRuling.WithBody b ? b.json() : null;
    }

    private static ApiRuling judge(ApiGate gate, ApiRequest request, byte[] json) {
        return gate.judge(request, json).toCompletableFuture().join();
    }
}
