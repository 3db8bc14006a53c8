package dev.longshore.it;

import dev.longshore.linux.NetworkNamespace;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A guest behind {@code longshore net} on a host whose only way out is a company's squid, said by an administrator's file: every TCP
 * port is taken. What squid reaches is in its namespace too, and reached by nobody else.
 *
 * <pre>
 * guest - TAP - longshore net (this computer's network) 10.79.1.1 - 10.79.1.2 squid, dnsmasq - lo: 203.0.113.9 to .14: nginx, raw servers
 * </pre>
 */
final class InterceptLab implements AutoCloseable {
    static final String WEB = "203.0.113.9"; // web.test
    static final String TLS = "203.0.113.10"; // tls.test
    static final String H2C = "203.0.113.11"; // h2c.test
    static final String NAMELESS = "203.0.113.12"; // no name at all
    static final String HIDDEN = "203.0.113.13"; // inner.test, which only squid knows; as an address it is denied
    static final String RAW = "203.0.113.14"; // raw.test
    static final String DENIED = "203.0.113.99"; // by the policy, as denied.test is
    private static final String ADMIN_FILE = "/usr/share/longshore/admin-settings.json";
    private static final String HERE = "10.79.1.1";
    private static final String SQUID = "10.79.1.2";
    private static final int SQUID_PORT = 3128;

    private final long id = ProcessHandle.current().pid() % 65_536;
    private final List<Running> servers = new ArrayList<>();
    private final PeerMachine machine;
    private final NetProgram longshore;

    /** @param dir for files */
    InterceptLab(Path dir) throws IOException {
        PeerRoot root = PeerRoot.ensure();
        NetProgram.prepare();
        try {
            for (String place : List.of("guest", "wan")) {
                Command.of("ip", "netns", "add", namespace(place)).run().expectOk();
                ip(place, "link", "set", "lo", "up");
            }
            String device = "lsin" + id;
            host("link", "add", device, "type", "veth", "peer", "name", "wan0", "netns", namespace("wan"));
            host("addr", "add", HERE + "/24", "dev", device);
            host("link", "set", device, "up");
            ip("wan", "addr", "add", SQUID + "/24", "dev", "wan0");
            ip("wan", "link", "set", "wan0", "up");
            for (String address : List.of(WEB, TLS, H2C, NAMELESS, HIDDEN, RAW)) {
                ip("wan", "addr", "add", address + "/32", "dev", "lo");
            }
            machine = root.boot(namespace("wan"));
        } catch (AssertionError e) {
            deleteNamespaces();
            throw e;
        }
        try {
            startServers();
            longshore = startLongshore(dir);
        } catch (AssertionError e) {
            servers.forEach(Running::close);
            machine.close();
            deleteNamespaces();
            throw e;
        }
    }

    private void startServers() {
        machine.write("/etc/hosts", "127.0.0.1 localhost\n" + HIDDEN + " inner.test\n" + names());
        machine.write("/lab/names", names());
        machine.write("/lab/squid.conf", """
                http_port %s:%d
                visible_hostname squid.test
                acl addresses dstdom_regex ^[0-9.]+$
                acl hidden dst %s/32
                acl CONNECT method CONNECT
                http_access deny CONNECT addresses hidden
                http_access allow all
                cache deny all
                access_log stdio:/lab/access.log
                cache_log /dev/null
                pid_filename none
                pinger_enable off
                netdb_filename none
                """.formatted(SQUID, SQUID_PORT, HIDDEN));
        machine.write("/lab/nginx.conf", """
                daemon off;
                pid /run/nginx.pid;
                error_log stderr;
                events {}
                http {
                  access_log off;
                  ssl_certificate /lab/tls.pem;
                  ssl_certificate_key /lab/tls.key;
                  server {
                    listen %1$s:80; listen %4$s:80; listen %3$s:80 http2;
                    listen %2$s:443 ssl http2; listen %4$s:443 ssl http2; listen %5$s:443 ssl http2;
                    location / { return 200 "$server_protocol host=$http_host sni=$ssl_server_name\\n"; }
                  }
                }
                """.formatted(WEB, TLS, H2C, NAMELESS, HIDDEN));
        machine.in(
                        "sh",
                        "-c",
                        "chmod 777 /lab && cd /lab && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=tls.test"
                                + " -keyout tls.key -out tls.pem 2>/dev/null")
                .run()
                .expectOk();
        servers.add(machine.serve(443, "nginx", "-c", "/lab/nginx.conf"));
        servers.add(machine.serve(
                53,
                "dnsmasq",
                "-k",
                "--no-resolv",
                "--no-hosts",
                "--addn-hosts=/lab/names",
                "--user=root",
                "--listen-address=" + SQUID,
                "--bind-interfaces"));
        servers.add(machine.serve(SQUID_PORT, "squid", "-N", "-f", "/lab/squid.conf"));
    }

    private static String names() {
        return WEB + " web.test\n" + TLS + " tls.test\n" + H2C + " h2c.test\n" + RAW + " raw.test\n";
    }

    private NetProgram startLongshore(Path dir) throws IOException {
        Path admin = Files.writeString(dir.resolve("admin.json"), """
                {"containersProxy": {"locked": true, "mode": "manual", "http": "http://%1$s:%2$d",
                 "https": "http://%1$s:%2$d", "transparentPorts": "*"},
                 "egressPolicy": {"locked": true, "value": {"rules": [
                   {"name": "lab", "action": "deny", "to": ["%3$s/32", "denied.test"]}]}}}
                """.formatted(SQUID, SQUID_PORT, DENIED));
        Files.createDirectories(Path.of(ADMIN_FILE).getParent());
        NetProgram program = NetProgram.of(Command.of(
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                "mount -t tmpfs none /usr/share/longshore && cp \"$0\" " + ADMIN_FILE + " && exec \"$@\"",
                admin.toString(),
                NetProgram.launcher(),
                "net",
                "--tap",
                "eth0@" + namespace("guest"),
                "--configure",
                "--subnet",
                "192.168.79.0/24",
                "--dns",
                SQUID));
        try {
            Path resolvers = Path.of("/etc/netns", namespace("guest"));
            Files.createDirectories(resolvers);
            Files.writeString(resolvers.resolve("resolv.conf"), "nameserver 192.168.79.7\noptions single-request\n");
        } catch (IOException e) {
            program.close();
            throw e;
        }
        return program;
    }

    private String namespace(String place) {
        return "lsin" + id + "-" + place;
    }

    private void ip(String place, String... arguments) {
        List<String> line = new ArrayList<>(List.of("ip", "-n", namespace(place)));
        line.addAll(List.of(arguments));
        Command.of(line).run().expectOk();
    }

    private static void host(String... arguments) {
        List<String> line = new ArrayList<>(List.of("ip"));
        line.addAll(List.of(arguments));
        Command.of(line).run().expectOk();
    }

    /** A command of the guest's. */
    Command guest(String... line) {
        List<String> inside = new ArrayList<>(List.of("ip", "netns", "exec", namespace("guest")));
        inside.addAll(List.of(line));
        return Command.of(inside);
    }

    /** Segments that the guest sends have {@code mtu} bytes at most from now on. */
    void setGuestMtu(int mtu) {
        ip("guest", "link", "set", "eth0", "mtu", String.valueOf(mtu));
    }

    /** What squid was asked for since it started, a line each: method and target. */
    List<String> asked() throws IOException {
        return Files.readAllLines(machine.path("/lab/access.log")).stream()
                .map(line -> line.strip().split("\\s+"))
                .map(words -> words[5] + " " + words[6])
                .toList();
    }

    /** Serves one connection to {@link #RAW} and ends. */
    interface Conversation {
        void with(Socket client) throws IOException;
    }

    /** A raw server behind squid, for one connection; the caller closes it. */
    ServerSocket serve(int port, Conversation conversation) throws IOException, InterruptedException {
        ServerSocket server = new ServerSocket();
        int r = NetworkNamespace.of(namespace("wan")).call(() -> {
            server.bind(new InetSocketAddress(InetAddress.ofLiteral(RAW), port));
            return 0;
        });
        if (r < 0) {
            throw new AssertionError("no such namespace: errno " + -r);
        }
        Thread.ofPlatform().daemon().start(() -> {
            try (Socket client = server.accept()) {
                conversation.with(client);
            } catch (IOException e) {
                // the test sees what is missing
            }
        });
        return server;
    }

    static void send(Socket s, String text) throws IOException {
        s.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Up to an empty line. */
    static String head(Socket s) throws IOException {
        StringBuilder head = new StringBuilder();
        while (!head.toString().endsWith("\r\n\r\n")) {
            int c = s.getInputStream().read();
            if (c < 0) {
                break;
            }
            head.append((char) c);
        }
        return head.toString();
    }

    private void deleteNamespaces() {
        Command.of("ip", "link", "del", "lsin" + id).run();
        for (String place : List.of("guest", "wan")) {
            Command.of("ip", "netns", "del", namespace(place)).run();
        }
        Command.of("rm", "-rf", "/etc/netns/" + namespace("guest")).run();
    }

    /** What the program said. */
    String said() {
        return longshore.said();
    }

    @Override
    public void close() {
        longshore.stop();
        longshore.close();
        servers.forEach(Running::close);
        machine.close();
        deleteNamespaces();
    }
}
