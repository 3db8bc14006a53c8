package dev.longshore.proxy.intercept;

import dev.longshore.proxy.HostNames;
import dev.longshore.proxy.message.Chars;
import dev.longshore.proxy.message.HeadReader;
import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * What the first bytes of a connection say about its protocol. Borrows; never throws, whatever they are.
 *
 * @param sni the name that a TLS client says it wants (RFC 6066 §3), in small letters; null if it says none, or nothing that is a name
 */
record FirstBytes(Kind kind, @Nullable String sni) {
    enum Kind {
        /** More bytes will tell. */
        UNDECIDED,
        /** A request to a server, as far as it goes; the version at the end of the line is not there yet. */
        REQUEST_LINE,
        /** HTTP/1.x with an origin-form or asterisk-form target: a request to a server, not to a proxy. */
        HTTP,
        /** A whole ClientHello, or as much of one as is read. */
        TLS,
        /** Anything else: the HTTP/2 preface, a request meant for another proxy, a protocol of its own. */
        OTHER
    }

    /** Of one ClientHello; today's have 0.5 to 2 KiB. */
    static final int MAX_HELLO = 16 * 1024;

    /** A request line's method and the first byte of its target; longer methods are nobody's. */
    private static final int MAX_METHOD = 32;

    /** What stands before the last digit of a request line. */
    private static final String VERSION = " HTTP/1.";

    private static final int RECORD_HEADER = 5;
    private static final int HANDSHAKE_HEADER = 4;
    private static final int CONTENT_HANDSHAKE = 22;
    private static final int CLIENT_HELLO = 1;
    private static final int EXTENSION_SERVER_NAME = 0;
    private static final int MAX_RECORD = 16_384;

    private static final FirstBytes UNDECIDED = new FirstBytes(Kind.UNDECIDED, null);
    private static final FirstBytes REQUEST_LINE = new FirstBytes(Kind.REQUEST_LINE, null);
    private static final FirstBytes HTTP = new FirstBytes(Kind.HTTP, null);
    private static final FirstBytes NAMELESS_TLS = new FirstBytes(Kind.TLS, null);
    private static final FirstBytes OTHER = new FirstBytes(Kind.OTHER, null);

    static FirstBytes of(ByteBuf b) {
        if (!b.isReadable()) {
            return UNDECIDED;
        }
        return b.getUnsignedByte(b.readerIndex()) == CONTENT_HANDSHAKE ? tls(b) : http(b);
    }

    /** RFC 9112 §3: {@code method SP target SP version}. */
    private static FirstBytes http(ByteBuf b) {
        int at = b.readerIndex();
        int end = b.writerIndex();
        int i = at;
        while (i < end && i - at <= MAX_METHOD && isTokenChar(b.getByte(i))) {
            i++;
        }
        if (i == at || i - at > MAX_METHOD) {
            return OTHER;
        }
        if (i == end) {
            return UNDECIDED;
        }
        if (b.getByte(i) != ' ') {
            return OTHER;
        }
        if (i + 1 == end) {
            return UNDECIDED;
        }
        if (b.getByte(i + 1) == '/') {
            return requestLine(b);
        }
        // "*" is OPTIONS', and the HTTP/2 preface's, which is no request at all (RFC 9113 §3.4)
        boolean options = b.toString(at, i - at, StandardCharsets.US_ASCII).equals("OPTIONS");
        return options && b.getByte(i + 1) == '*' ? requestLine(b) : OTHER;
    }

    /** Other protocols have lines that begin like a request: RTSP, Redis, memcached. A line without an end is the proxy's to refuse. */
    private static FirstBytes requestLine(ByteBuf b) {
        int length = b.bytesBefore((byte) '\n');
        if (length < 0 || length > HeadReader.MAX_START_LINE) {
            return b.readableBytes() > HeadReader.MAX_START_LINE ? HTTP : REQUEST_LINE;
        }
        int end = b.readerIndex() + length;
        int version = end - (b.getByte(end - 1) == '\r' ? 1 : 0) - VERSION.length() - 1;
        return version > b.readerIndex()
                        && b.toString(version, VERSION.length(), StandardCharsets.US_ASCII)
                                .equals(VERSION)
                        && Chars.isDigit(b.getByte(version + VERSION.length()))
                ? HTTP
                : OTHER;
    }

    private static boolean isTokenChar(byte c) {
        return c > ' ' && c < 0x7F && "\"(),/:;<=>?@[\\]{}".indexOf(c) < 0;
    }

    /** RFC 8446 §5.1: the hello may be split over records in any way. */
    private static FirstBytes tls(ByteBuf b) {
        byte[] hello = new byte[Math.min(MAX_HELLO, b.readableBytes())];
        int have = 0;
        int i = b.readerIndex();
        int end = b.writerIndex();
        while (i < end && have < MAX_HELLO) {
            if (end - i < RECORD_HEADER) {
                break;
            }
            int length = b.getUnsignedShort(i + 3);
            if (b.getUnsignedByte(i) != CONTENT_HANDSHAKE
                    || b.getUnsignedByte(i + 1) != 3
                    || length == 0
                    || length > MAX_RECORD) {
                return OTHER;
            }
            i += RECORD_HEADER;
            int part = Math.min(Math.min(length, end - i), hello.length - have);
            b.getBytes(i, hello, have, part);
            have += part;
            i += length;
            if (have > 0 && hello[0] != CLIENT_HELLO) {
                return OTHER;
            }
            if (isWhole(hello, have)) {
                return named(hello, HANDSHAKE_HEADER + handshakeLength(hello));
            }
        }
        if (have >= HANDSHAKE_HEADER && HANDSHAKE_HEADER + handshakeLength(hello) > MAX_HELLO) {
            return NAMELESS_TLS; // longer than anybody's: it will find its way without its name
        }
        return UNDECIDED;
    }

    private static boolean isWhole(byte[] hello, int have) {
        return have >= HANDSHAKE_HEADER && have >= HANDSHAKE_HEADER + handshakeLength(hello);
    }

    private static int handshakeLength(byte[] hello) {
        return (hello[1] & 0xFF) << 16 | (hello[2] & 0xFF) << 8 | (hello[3] & 0xFF);
    }

    /** RFC 8446 §4.1.2. What makes no sense is passed on for the server to judge. */
    private static FirstBytes named(byte[] h, int end) {
        int i = HANDSHAKE_HEADER + 2 + 32; // legacy_version, random
        i = skip(h, i, end, 1); // legacy_session_id
        i = skip(h, i, end, 2); // cipher_suites
        i = skip(h, i, end, 1); // legacy_compression_methods
        if (i < 0 || i + 2 > end) {
            return NAMELESS_TLS;
        }
        int extensionsEnd = Math.min(end, i + 2 + number(h, i, 2));
        i += 2;
        while (i + 4 <= extensionsEnd) {
            int length = number(h, i + 2, 2);
            if (number(h, i, 2) == EXTENSION_SERVER_NAME) {
                return new FirstBytes(Kind.TLS, serverName(h, i + 4, Math.min(extensionsEnd, i + 4 + length)));
            }
            i += 4 + length;
        }
        return NAMELESS_TLS;
    }

    /** Behind a vector whose length has {@code bytes} bytes; -1 if that is beyond {@code end}. */
    private static int skip(byte[] h, int at, int end, int bytes) {
        if (at < 0 || at + bytes > end) {
            return -1;
        }
        int behind = at + bytes + number(h, at, bytes);
        return behind > end ? -1 : behind;
    }

    private static int number(byte[] h, int at, int bytes) {
        int n = 0;
        for (int i = 0; i < bytes; i++) {
            n = n << 8 | (h[at + i] & 0xFF);
        }
        return n;
    }

    /** The first host_name of a ServerNameList; there is at most one (RFC 6066 §3). */
    private static @Nullable String serverName(byte[] h, int at, int end) {
        if (at + 5 > end || h[at + 2] != 0) {
            return null;
        }
        int length = number(h, at + 3, 2);
        if (length == 0 || length > 254 || at + 5 + length > end) {
            return null;
        }
        return HostNames.plain(new String(h, at + 5, length, StandardCharsets.ISO_8859_1));
    }
}
