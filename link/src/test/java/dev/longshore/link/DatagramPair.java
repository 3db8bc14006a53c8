package dev.longshore.link;

import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.file.Path;

/** Two datagram sockets connected to each other: in a device's place, since they keep frames apart and get full as it does. */
public record DatagramPair(Socket link, Socket guest) {
    /** Both bound in {@code dir}. */
    public static DatagramPair in(Path dir) throws IOException {
        Socket link = bound(dir.resolve("device"));
        Socket guest = bound(dir.resolve("guest"));
        connect(link, dir.resolve("guest"));
        connect(guest, dir.resolve("device"));
        return new DatagramPair(link, guest);
    }

    /** A new socket at {@code path}. */
    public static Socket bound(Path path) throws IOException {
        Socket socket = Socket.newSocketDomainDgram();
        socket.bind(new DomainSocketAddress(path.toFile()));
        return socket;
    }

    /** Connects it to {@code path}. */
    public static void connect(Socket socket, Path path) throws IOException {
        if (!socket.connect(new DomainSocketAddress(path.toFile()))) {
            throw new IOException("not at once");
        }
    }
}
