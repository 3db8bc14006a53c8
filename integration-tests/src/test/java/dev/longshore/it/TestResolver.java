package dev.longshore.it;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A resolver of the host, on a loopback address of its own: {@code one.test} is 192.0.2.1, {@code policy.test} 192.0.2.201 (which no
 * other name has), {@code many.test} has so many
 * addresses that its answer needs TCP, anything else does not exist. Thread-safe.
 */
final class TestResolver implements AutoCloseable {
    static final String ADDRESS = "127.53.53.53";

    /** Settings of a product that asks this resolver. */
    static final String SETTINGS = "{\"network\": {\"dnsServers\": [\"" + ADDRESS + "\"]}}";

    static final int MANY = 100;
    private static final int HEADER = 12;
    private static final int UDP_LIMIT = 512;

    private final DatagramSocket udp;
    private final ServerSocket tcp;

    TestResolver() {
        try {
            udp = new DatagramSocket(53, InetAddress.ofLiteral(ADDRESS));
            tcp = new ServerSocket(53, 50, InetAddress.ofLiteral(ADDRESS));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Thread.ofPlatform().daemon().start(this::serveUdp);
        Thread.ofPlatform().daemon().start(this::serveTcp);
    }

    private void serveUdp() {
        try {
            while (true) {
                DatagramPacket query = new DatagramPacket(new byte[1500], 1500);
                udp.receive(query);
                byte[] answer = answer(Arrays.copyOf(query.getData(), query.getLength()));
                if (answer.length > UDP_LIMIT) {
                    answer = Arrays.copyOf(answer, questionEnd(answer));
                    answer[2] |= 2; // TC
                    answer[7] = 0; // ANCOUNT
                }
                udp.send(new DatagramPacket(answer, answer.length, query.getSocketAddress()));
            }
        } catch (IOException e) {
            // closed
        }
    }

    private void serveTcp() {
        try {
            while (true) {
                try (Socket s = tcp.accept()) {
                    DataInputStream in = new DataInputStream(s.getInputStream());
                    byte[] answer = answer(in.readNBytes(in.readUnsignedShort()));
                    s.getOutputStream()
                            .write(ByteBuffer.allocate(2 + answer.length)
                                    .putShort((short) answer.length)
                                    .put(answer)
                                    .array());
                } catch (java.io.EOFException e) {
                    // a probe
                }
            }
        } catch (IOException e) {
            // closed
        }
    }

    private static byte[] answer(byte[] query) {
        int end = questionEnd(query);
        boolean isA = query[end - 3] == 1;
        int addresses = isA ? addressesOf(name(query)) : 0;
        boolean exists = addressesOf(name(query)) > 0;
        ByteBuffer b = ByteBuffer.allocate(end + 16 * addresses);
        b.put(query, 0, end);
        b.putShort(2, (short) (0x8180 | (exists ? 0 : 3)));
        b.putShort(6, (short) addresses).putShort(8, (short) 0).putShort(10, (short) 0);
        int first = name(query).equals("policy.test") ? 200 : 0;
        for (int i = 1; i <= addresses; i++) {
            b.putShort((short) 0xC00C).putShort((short) 1).putShort((short) 1).putInt(60);
            b.putShort((short) 4).put(new byte[] {(byte) 192, 0, 2, (byte) (first + i)});
        }
        return b.array();
    }

    private static int addressesOf(String name) {
        return switch (name) {
            case "one.test", "policy.test" -> 1;
            case "many.test" -> MANY;
            default -> 0;
        };
    }

    private static String name(byte[] message) {
        StringBuilder name = new StringBuilder();
        for (int at = HEADER; message[at] != 0; at += message[at] + 1) {
            name.append(name.isEmpty() ? "" : ".")
                    .append(new String(message, at + 1, message[at], StandardCharsets.US_ASCII));
        }
        return name.toString().toLowerCase(java.util.Locale.ROOT);
    }

    private static int questionEnd(byte[] message) {
        int at = HEADER;
        while (message[at] != 0) {
            at += message[at] + 1;
        }
        return at + 5;
    }

    @Override
    public void close() {
        try {
            udp.close();
            tcp.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
