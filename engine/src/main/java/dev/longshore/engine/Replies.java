package dev.longshore.engine;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.handler.codec.http.HttpResponseStatus;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import tools.jackson.databind.json.JsonMapper;

/** Answers of our own, in the Engine's form: the docker command shows the message. */
final class Replies {
    private Replies() {}

    /**
     * One answer, head and body.
     *
     * @param toHead true if the request's method was HEAD: the answer has no body
     * @param last true if no other answer follows on this connection
     */
    static ByteBuf error(ByteBufAllocator alloc, int status, String message, boolean toHead, boolean last) {
        byte[] body = (JsonMapper.shared().writeValueAsString(Map.of("message", message)) + "\n")
                .getBytes(StandardCharsets.UTF_8);
        ByteBuf answer = ByteBufUtil.writeAscii(
                alloc,
                "HTTP/1.1 " + HttpResponseStatus.valueOf(status)
                        + "\r\nContent-Type: application/json\r\nContent-Length: "
                        + body.length + (last ? "\r\nConnection: close" : "") + "\r\n\r\n");
        return toHead ? answer : answer.writeBytes(body);
    }
}
