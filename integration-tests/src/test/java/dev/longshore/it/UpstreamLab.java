package dev.longshore.it;

import dev.longshore.proxy.route.ProxyAddress.Login;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import tools.jackson.databind.json.JsonMapper;

/**
 * A company's network in a namespace of its own: an origin, and upstream proxies that verify who asks for it against a Kerberos
 * realm, a domain controller's kind of passwords, and files. All are other people's programs of {@link PeerRoot}.
 *
 * <pre>
 * this process 10.78.1.1 - 10.78.1.2 nginx, squid (one for each scheme), danted, krb5kdc, winbindd
 * </pre>
 */
final class UpstreamLab implements AutoCloseable {
    static final String US = "10.78.1.1";
    static final String PEERS = "10.78.1.2";
    static final String REALM = "TEST.LOCAL";
    static final String PROXY_NAME = "proxy.test.local";
    static final String ORIGIN = "origin.test.local";
    static final int ORIGIN_PORT = 8080;
    static final int KDC = 1088;
    static final int OPEN = 3100;
    static final int BASIC = 3101;
    static final int DIGEST = 3102;
    static final int KERBEROS = 3103;
    static final int NTLM = 3104;
    static final int NTLM_IN_NEGOTIATE = 3105;
    static final int TLS = 3106;
    static final int SOCKS = 1080;
    static final int SOCKS_4A = 1081;
    private static final int SSH = 2222;

    /** CONNECT to this port is refused by all proxies, with a page. */
    static final int FORBIDDEN_PORT = 9;

    private static final Duration START = Duration.ofSeconds(60);

    private final String namespace = "lsup" + ProcessHandle.current().pid() % 65_536;
    private final List<Running> servers = new ArrayList<>();
    private final PeerMachine machine;
    private final Path directory;

    UpstreamLab() {
        try {
            directory = Files.createTempDirectory("lsup");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        PeerRoot root = PeerRoot.ensure();
        try {
            host("ip", "netns", "add", namespace);
            host("ip", "link", "add", namespace, "type", "veth", "peer", "name", "wan0", "netns", namespace);
            host("ip", "addr", "add", US + "/24", "dev", namespace);
            host("ip", "link", "set", namespace, "up");
            host("ip", "-n", namespace, "addr", "add", PEERS + "/24", "dev", "wan0");
            host("ip", "-n", namespace, "link", "set", "wan0", "up");
            host("ip", "-n", namespace, "link", "set", "lo", "up");
            machine = root.boot(namespace);
        } catch (AssertionError e) {
            deleteNamespace();
            throw e;
        }
        try {
            start();
        } catch (AssertionError | RuntimeException e) {
            close();
            throw e;
        }
    }

    private void start() {
        machine.write("/etc/hosts", """
                127.0.0.1 localhost
                %s %s %s peers
                %s us.test.local
                """.formatted(PEERS, PROXY_NAME, ORIGIN, US));
        shell("mkdir -p /var/log/squid && chown proxy /var/log/squid");
        startOrigin();
        startKdc();
        startWinbind();
        startSocks();
        shell("htpasswd -bc /etc/squid/passwords bob 'b0b:pa ss' && htpasswd -b /etc/squid/passwords carol carols");
        shell("printf 'dora:squid:%s\\n' $(printf 'dora:squid:doras' | md5sum | cut -d' ' -f1) > /etc/squid/digests");
        squid("open", OPEN, "", "");
        squid("basic", BASIC, "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwords", "");
        squid("digest", DIGEST, """
                auth_param digest program /usr/lib/squid/digest_file_auth -c /etc/squid/digests
                auth_param digest realm squid
                """, "");
        squid(
                "kerberos",
                KERBEROS,
                "auth_param negotiate program /usr/lib/squid/negotiate_kerberos_auth -k /etc/squid/http.keytab -s HTTP/"
                        + PROXY_NAME + "@" + REALM,
                "");
        String winbind = "program /usr/bin/ntlm_auth --configfile=/lab/smb.conf --helper-protocol=";
        squid("ntlm", NTLM, "auth_param ntlm " + winbind + "squid-2.5-ntlmssp", "");
        squid("spnego", NTLM_IN_NEGOTIATE, "auth_param negotiate " + winbind + "gss-spnego", "");
        shell("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + PROXY_NAME
                + " -addext subjectAltName=DNS:" + PROXY_NAME
                + " -keyout /etc/squid/tls.key -out /etc/squid/tls.pem 2>/dev/null && chmod 644 /etc/squid/tls.key");
        squid(
                "tls",
                TLS,
                "auth_param basic program /usr/lib/squid/basic_ncsa_auth /etc/squid/passwords",
                "tls-cert=/etc/squid/tls.pem tls-key=/etc/squid/tls.key");
        IntStream.of(ORIGIN_PORT, SOCKS, SOCKS_4A, KDC, OPEN, BASIC, DIGEST, KERBEROS, NTLM, NTLM_IN_NEGOTIATE, TLS)
                .forEach(this::awaitListening);
    }

    private void awaitListening(int port) {
        Await.until(
                port + " is listened on",
                START,
                () -> shell("ss -Hltn 'sport = :" + port + "'").contains(":" + port),
                () -> String.join(
                        "\n",
                        servers.stream()
                                .map(s -> s.out() + s.err())
                                .filter(text -> !text.isBlank())
                                .toList()));
    }

    private void serve(String... line) {
        servers.add(machine.in(line).start());
    }

    private void startOrigin() {
        machine.write("/lab/www/x", "from the origin\n");
        machine.write("/lab/nginx.conf", """
                daemon off;
                pid /run/nginx.pid;
                events {}
                http {
                  access_log /lab/origin.log;
                  client_max_body_size 100m;
                  server {
                    listen %d;
                    root /lab/www;
                    location /echo { add_header X-Method $request_method; return 200 "echo"; }
                    location /put { root /tmp; dav_methods PUT; }
                  }
                }
                """.formatted(ORIGIN_PORT));
        serve("nginx", "-c", "/lab/nginx.conf");
    }

    private void startKdc() {
        String realm = """
                [libdefaults]
                  default_realm = %1$s
                  dns_lookup_kdc = false
                  dns_lookup_realm = false
                  rdns = false
                  dns_canonicalize_hostname = false
                  udp_preference_limit = 1
                [realms]
                  %1$s = {
                    kdc = %2$s:%3$d
                  }
                [domain_realm]
                  .test.local = %1$s
                """.formatted(REALM, PEERS, KDC);
        machine.write("/etc/krb5.conf", realm);
        machine.write("/etc/krb5kdc/kdc.conf", """
                [kdcdefaults]
                  kdc_listen = %1$d
                  kdc_tcp_listen = %1$d
                [realms]
                  %2$s = { database_name = /var/lib/krb5kdc/principal }
                """.formatted(KDC, REALM));
        try {
            Files.writeString(directory.resolve("krb5.conf"), realm);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        shell("mkdir -p /var/lib/krb5kdc && kdb5_util create -s -P master >/dev/null"
                + " && kadmin.local -q 'addprinc -pw alicepw alice'"
                + " && kadmin.local -q 'addprinc -randkey HTTP/" + PROXY_NAME + "'"
                + " && kadmin.local -q 'ktadd -k /etc/squid/http.keytab HTTP/" + PROXY_NAME + "'"
                + " && chown proxy /etc/squid/http.keytab");
        serve("krb5kdc", "-n");
    }

    /** What the JDK has to read. */
    Path krb5Conf() {
        return directory.resolve("krb5.conf");
    }

    private void startWinbind() {
        machine.write("/lab/smb.conf", """
                [global]
                  netbios name = PXHOST
                  workgroup = PXGROUP
                  server role = standalone server
                  security = user
                  passdb backend = tdbsam:/lab/smb/passdb.tdb
                  ntlm auth = ntlmv2-only
                  private dir = /lab/smb/private
                  state directory = /lab/smb/state
                  cache directory = /lab/smb/cache
                  lock directory = /lab/smb/lock
                  pid directory = /lab/smb/pid
                  log file = /lab/smb/log
                  interfaces = lo
                  bind interfaces only = yes
                """);
        shell("mkdir -p /run/samba /lab/smb/private /lab/smb/state /lab/smb/cache /lab/smb/lock /lab/smb/pid"
                + " && useradd dave && printf 'davepw\\ndavepw\\n' | smbpasswd -c /lab/smb.conf -s -a dave");
        serve("winbindd", "-F", "--no-process-group", "-s", "/lab/smb.conf");
        Await.until("winbindd's privileged socket", START, () -> shell(
                        "ls -d /lab/smb/state/winbindd_privileged 2>/dev/null || true")
                .contains("privileged"));
        shell("chgrp proxy /lab/smb/state/winbindd_privileged && chmod 750 /lab/smb/state/winbindd_privileged");
    }

    private void startSocks() {
        machine.write("/lab/danted.conf", """
                logoutput: stderr
                internal: %s port = %d
                external: %s
                socksmethod: username
                clientmethod: none
                user.privileged: root
                user.unprivileged: nobody
                client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
                socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
                """.formatted(PEERS, SOCKS, PEERS));
        shell("useradd sam && echo sam:sampw | chpasswd");
        serve("danted", "-f", "/lab/danted.conf");
        shell("mkdir -p /run/sshd /root/.ssh && ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519"
                + " && cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys && ssh-keygen -A");
        serve("/usr/sbin/sshd", "-D", "-p", String.valueOf(SSH));
        awaitListening(SSH);
        serve(
                "ssh",
                "-N",
                "-o",
                "StrictHostKeyChecking=no",
                "-p",
                String.valueOf(SSH),
                "-D",
                PEERS + ":" + SOCKS_4A,
                "root@127.0.0.1");
    }

    /** A store of passwords, kept by GnuPG, that has {@code login} for {@code url}; returns what asks it as Docker's helpers do. */
    List<String> credentialStore(String url, Login login) {
        shell("gpg --batch --passphrase '' --quick-gen-key lab default default never && pass init lab");
        machine.write(
                "/lab/login",
                JsonMapper.shared()
                        .writeValueAsString(
                                Map.of("ServerURL", url, "Username", login.user(), "Secret", login.password())));
        shell("docker-credential-pass store < /lab/login && rm /lab/login");
        return machine.line("env", "HOME=/root", "docker-credential-pass", "get");
    }

    /** Has kinit get tickets for alice, into the file {@code cache}. */
    void ticketsOfAlice(Path cache) {
        shell("echo alicepw | kinit -c FILE:/lab/tickets alice");
        try {
            Files.write(cache, Files.readAllBytes(machine.path("/lab/tickets")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The keys of {@code svc}, who has no password, in {@code file}. */
    void keysOfSvc(Path file) {
        shell("(kadmin.local -q 'addprinc -randkey svc' || true) && rm -f /lab/svc.keytab && kadmin.local -q 'ktadd"
                + " -k /lab/svc.keytab svc'");
        try {
            Files.write(file, Files.readAllBytes(machine.path("/lab/svc.keytab")));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void squid(String name, int port, String authentication, String tls) {
        String listen = (tls.isEmpty() ? "http_port " : "https_port ") + "0.0.0.0:" + port + " " + tls;
        String who = authentication.isEmpty() ? "all" : "known";
        machine.write("/lab/" + name + ".conf", """
                %s
                %s
                acl forbidden port %d
                http_access deny forbidden
                %s
                http_access allow %s
                http_access deny all
                pid_filename /run/%s.pid
                access_log stdio:/var/log/squid/%s.log
                cache_log /var/log/squid/%s-cache.log
                visible_hostname %s.squid
                cache deny all
                strip_query_terms off
                pinger_enable off
                netdb_filename none
                shutdown_lifetime 0
                """.formatted(
                        listen,
                        authentication,
                        FORBIDDEN_PORT,
                        authentication.isEmpty() ? "" : "acl known proxy_auth REQUIRED",
                        who,
                        name,
                        name,
                        name,
                        name));
        serve("squid", "-N", "-n", name, "-f", "/lab/" + name + ".conf");
    }

    /** What a proxy has logged. */
    Stream<String> log(String name) {
        return shell("cat /var/log/squid/" + name + ".log 2>/dev/null || true").lines();
    }

    /** The certificate that the TLS port shows, which is its own authority. */
    Path certificate() {
        try {
            Path copy = directory.resolve("tls.pem");
            Files.writeString(copy, shell("cat /etc/squid/tls.pem"));
            return copy;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** In the machine, as root. */
    String shell(String script) {
        return machine.in("sh", "-c", script).within(START).run().expectOk().out();
    }

    private static void host(String... line) {
        Command.of(line).run().expectOk();
    }

    private void deleteNamespace() {
        Command.of("ip", "link", "del", namespace).run();
        Command.of("ip", "netns", "del", namespace).run();
    }

    @Override
    public void close() {
        servers.forEach(Running::close);
        machine.close();
        deleteNamespace();
        Command.of("rm", "-rf", directory.toString()).run();
    }
}
