package dev.longshore.vpnkit.gateway;

import io.netty.buffer.ByteBuf;

/** Takes the answer to one question, exactly once. Confined to the link's event loop. */
interface DnsAnswers {
    /** Takes ownership of {@code message}. */
    void answer(ByteBuf message);
}
