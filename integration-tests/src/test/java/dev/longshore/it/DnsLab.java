package dev.longshore.it;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Name servers of several makers beside ours: nsd has the zones; unbound, dnsmasq and {@code longshore net} each forward to it. A guest,
 * which is a network namespace, asks ours over its TAP device; the others are asked on the loopback of the namespace that is the
 * host. Nothing leaves these two.
 */
final class DnsLab implements AutoCloseable {
    static final String GUEST_DNS = "192.168.65.7";
    static final String GUEST_DNS6 = "fdc4:f303:9324::7";

    /** On the host's loopback, port 53 each. */
    static final String NSD = "127.0.0.53";

    static final String NSD6 = "::1";

    /** Has another zone for {@code corp.test}. */
    static final String CORP = "127.0.0.54";

    static final String UNBOUND = "127.0.0.55";
    static final String DNSMASQ = "127.0.0.56";

    private static final Duration START = Duration.ofMinutes(1);
    private static final int MANY = 400;
    private static final String SIGNED = resource("signed.zone");

    private final long id = ProcessHandle.current().pid() % 65_536;
    private final PeerMachine host;
    private final PeerMachine guest;
    private final Path home;
    private final List<Running> servers = new ArrayList<>();

    /** @param dir short enough for the path of a socket */
    DnsLab(Path dir) {
        home = dir.resolve("home");
        NetProgram.prepare();
        PeerRoot root = PeerRoot.ensure();
        for (String place : List.of("guest", "host")) {
            Command.of("ip", "netns", "add", namespace(place)).run().expectOk();
            outside(place, "ip", "link", "set", "lo", "up").run().expectOk();
        }
        host = root.boot(namespace("host"));
        guest = root.boot(namespace("guest"));
        try {
            Files.createDirectories(home.resolve("run"));
            startPeers();
            startOurs();
        } catch (IOException e) {
            close();
            throw new UncheckedIOException(e);
        } catch (AssertionError e) {
            close();
            throw e;
        }
    }

    private String namespace(String place) {
        return "lsdns" + id + "-" + place;
    }

    private Command outside(String place, String... line) {
        List<String> inside = new ArrayList<>(List.of("ip", "netns", "exec", namespace(place)));
        inside.addAll(List.of(line));
        return Command.of(inside);
    }

    /** A command of the peers' root in the guest. */
    Command guest(String... line) {
        return guest.in(line);
    }

    /** The same on the host. */
    Command host(String... line) {
        return host.in(line);
    }

    /** A file in the guest. */
    void writeGuest(String file, String text) {
        guest.write(file, text);
    }

    private void startPeers() {
        host.write("/lab/zone", zone());
        host.write("/lab/corp", """
                $ORIGIN corp.test.
                $TTL 300
                @ IN SOA ns hostmaster 1 3600 600 86400 300
                @ IN NS ns
                ns IN A 127.0.0.54
                db IN A 10.20.30.40
                """);
        host.write("/lab/signed", SIGNED);
        guest.write("/lab/anchor", anchor());
        host.write("/lab/nsd.conf", nsd(NSD, NSD6, "example.test", "zone") + """
                zone:
                  name: signed.test
                  zonefile: signed
                """);
        host.write("/lab/corp.conf", nsd(CORP, CORP, "corp.test", "corp"));
        host.write("/lab/unbound.conf", """
                server:
                  interface: 127.0.0.55
                  access-control: 127.0.0.0/8 allow
                  do-daemonize: no
                  username: ""
                  chroot: ""
                  pidfile: ""
                  use-syslog: no
                  module-config: "iterator"
                  do-not-query-localhost: no
                  local-zone: "test." transparent
                  num-threads: 1
                  edns-buffer-size: 1232
                  max-udp-size: 1232
                  harden-below-nxdomain: no
                forward-zone:
                  name: "."
                  forward-addr: 127.0.0.53
                """);
        servers.add(serve("nsd", "-d", "-c", "/lab/nsd.conf"));
        servers.add(serve("nsd", "-d", "-c", "/lab/corp.conf"));
        servers.add(serve("unbound", "-d", "-c", "/lab/unbound.conf"));
        servers.add(serve(
                "dnsmasq",
                "--keep-in-foreground",
                "--no-resolv",
                "--no-hosts",
                "--conf-file=/dev/null",
                "--pid-file=",
                "--user=root",
                "--bind-interfaces",
                "--listen-address=" + DNSMASQ,
                "--cache-size=0",
                "--edns-packet-max=1232",
                "--server=" + NSD));
        for (String server : List.of(NSD, CORP, UNBOUND, DNSMASQ)) {
            String name = server.equals(CORP) ? "db.corp.test" : "a.example.test";
            Await.until(
                    "an answer from " + server,
                    START,
                    () -> host("dig", "+short", "+tries=1", "+time=1", "@" + server, name)
                            .run()
                            .out()
                            .contains("."),
                    () -> servers.stream().map(s -> s.out() + s.err()).toList().toString());
        }
    }

    /** The zone's key, for {@code delv -a}. */
    private static String anchor() {
        Matcher key = Pattern.compile("Trust anchor: (\\d+ \\d+ \\d+) (\\S+)").matcher(SIGNED);
        if (!key.find()) {
            throw new IllegalStateException("no trust anchor in signed.zone");
        }
        return "trust-anchors { signed.test. static-key " + key.group(1) + " \"" + key.group(2) + "\"; };\n";
    }

    private static String resource(String name) {
        try (InputStream in = DnsLab.class.getResourceAsStream(name)) {
            return new String(Objects.requireNonNull(in, name).readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Running serve(String... line) {
        return host.in(line).start();
    }

    private static String nsd(String v4, String v6, String zone, String file) {
        return """
                server:
                  ip-address: %s
                  %s
                  username: ""
                  zonesdir: /lab
                  pidfile: ""
                  database: ""
                  xfrdfile: ""
                  zonelistfile: ""
                  rrl-ratelimit: 0
                  server-count: 1
                  minimal-responses: no
                remote-control:
                  control-enable: no
                zone:
                  name: %s
                  zonefile: %s
                """.formatted(v4, v6.equals(v4) ? "" : "ip-address: " + v6, zone, file);
    }

    /** Records of every kind that names are looked up for, and of none. */
    private static String zone() {
        StringBuilder text = new StringBuilder("""
                $ORIGIN example.test.
                $TTL 300
                @ IN SOA ns hostmaster 1 3600 600 86400 60
                @ IN NS ns
                @ IN MX 10 mail
                @ IN CAA 0 issue "ca.example.test"
                ns IN A 127.0.0.53
                mail IN A 192.0.2.25
                mail IN AAAA 2001:db8::25
                a IN A 192.0.2.1
                aaaa IN AAAA 2001:db8::1
                both IN A 192.0.2.2
                both IN AAAA 2001:db8::2
                zero 0 IN A 192.0.2.3
                www IN CNAME chain1
                chain1 IN CNAME chain2
                chain2 IN CNAME chain3
                chain3 IN CNAME both
                dangling IN CNAME nowhere
                _sip._tcp IN SRV 1 2 5060 both
                https IN HTTPS 1 . alpn="h2,h3" ipv4hint=192.0.2.2 ipv6hint=2001:db8::2
                svc IN SVCB 1 both.example.test. port=8443
                naptr IN NAPTR 100 10 "U" "E2U+sip" "!^.*$!sip:info@example.test!" .
                odd IN TYPE65280 \\# 4 DEADBEEF
                empty IN TXT ""
                loc IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
                *.wild IN A 192.0.2.9
                sub.ent IN A 192.0.2.10
                ds IN DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118
                sshfp IN SSHFP 1 1 2BB183AF5F22588179A53B0A98631FAD1A292118
                tlsa IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
                """);
        text.append("long IN TXT");
        for (int i = 0; i < 8; i++) {
            text.append(" \"").append("x".repeat(250)).append(i).append('"');
        }
        text.append('\n');
        for (int i = 0; i < MANY; i++) {
            text.append(String.format(Locale.ROOT, "many IN A 10.1.%d.%d%n", i / 250, i % 250));
        }
        for (int i = 0; i < 60; i++) {
            text.append(String.format(Locale.ROOT, "some IN A 10.2.0.%d%n", i));
        }
        return text.toString();
    }

    private void startOurs() {
        servers.add(NetProgram.started(outside(
                "host",
                NetProgram.launcher(),
                "net",
                "--tap",
                "eth0@" + namespace("guest"),
                "--configure",
                "--dns",
                NSD,
                "--dns-route",
                "corp.test=" + CORP,
                "--control",
                home.resolve("run/control.sock").toString())));
        Await.until("the guest's IPv6 address", START, () -> {
            String seen = guest("ip", "-6", "addr", "show", "dev", "eth0", "scope", "global")
                    .run()
                    .out();
            return seen.contains("fdc4:f303:9324:") && !seen.contains("tentative");
        });
    }

    /** {@code ./longshore} with the control socket of the network here. */
    Command longshore(String... arguments) {
        List<String> line = new ArrayList<>(List.of(NetProgram.launcher()));
        line.addAll(List.of(arguments));
        return Command.of(line).with("LONGSHORE_HOME", home.toString());
    }

    @Override
    public void close() {
        servers.reversed().forEach(Running::close);
        host.close();
        guest.close();
        for (String place : List.of("guest", "host")) {
            Command.of("ip", "netns", "del", namespace(place)).run();
        }
    }
}
