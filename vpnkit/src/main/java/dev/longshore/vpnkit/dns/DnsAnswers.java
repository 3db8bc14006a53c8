package dev.longshore.vpnkit.dns;

import io.netty.buffer.ByteBuf;

/** Takes the answer to one question, exactly once. Confined to the link's event loop. */
interface DnsAnswers {
    /** Takes ownership of {@code message}. */
    void answer(ByteBuf message);
}
