package dev.longshore.vpnkit.dns;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** resolv.conf(5), as it is now and not as it was at the start. */
class ResolversTest {
    private static final InetSocketAddress LOOPBACK = new InetSocketAddress(InetAddress.getLoopbackAddress(), 53);

    @TempDir
    Path dir;

    private long now = Long.MAX_VALUE - 5;

    private void twoSecondsPass() {
        now += TimeUnit.SECONDS.toNanos(2);
    }

    private static InetSocketAddress resolver(String address) throws IOException {
        return new InetSocketAddress(InetAddress.getByName(address), 53);
    }

    /** podman, pasta: started before the host had its network, it never got one. */
    @Test
    void fileThatComesChangesAndGoes_isObeyedFromThenOn() throws IOException {
        Path file = dir.resolve("resolv.conf");
        Resolvers resolvers = Resolvers.ofFile(file, () -> now);
        assertThat(resolvers.servers()).containsExactly(LOOPBACK);
        assertThat(resolvers.searchDomains()).isEmpty();

        Files.writeString(file, "nameserver 192.0.2.1\nsearch example.test\n");
        assertThat(resolvers.servers()).as("not looked at again yet").containsExactly(LOOPBACK);
        twoSecondsPass();
        assertThat(resolvers.servers()).containsExactly(resolver("192.0.2.1"));
        assertThat(resolvers.searchDomains()).containsExactly("example.test");

        Path other = Files.writeString(dir.resolve("other"), "nameserver 192.0.2.2\nnameserver 2001:db8::53\n");
        Files.delete(file);
        Files.createSymbolicLink(file, other);
        twoSecondsPass();
        assertThat(resolvers.servers()).containsExactly(resolver("192.0.2.2"), resolver("2001:db8::53"));
        assertThat(resolvers.searchDomains()).isEmpty();

        Files.delete(file);
        twoSecondsPass();
        assertThat(resolvers.servers()).as("better than none").hasSize(2);
    }

    @Test
    void lines_areReadAsTheCLibraryDoes_andNoNameIsLookedUp() throws IOException {
        assertThat(Resolvers.parse(List.of(
                        "# nameserver 192.0.2.9",
                        "  nameserver\t192.0.2.1 # comment",
                        "nameserver resolver.test",
                        "nameserver 999.0.2.1",
                        "nameserver",
                        "nameserver ::1")))
                .containsExactly(resolver("192.0.2.1"), resolver("::1"));
    }

    /** A list from DHCP may be anything: neither an endless name nor one of a thousand labels may end the loop. */
    @Test
    void monstrousLines_areLeftOut() {
        String labels = "a.".repeat(20_000) + "a";
        assertThat(Resolvers.parseSearch(List.of("search " + labels + " ok.test")))
                .containsExactly("ok.test");
        assertThat(Resolvers.parse(List.of("nameserver " + ":".repeat(60_000) + "g", "nameserver 1234567")))
                .isEmpty();
    }

    @Test
    void scopes_areThoseOfInterfacesThatAreThere_whenTheyAre() throws IOException {
        Path file = dir.resolve("resolv.conf");
        Files.writeString(file, "nameserver fe80::1%nosuch0\nnameserver fe80::1%7\nnameserver fe80::2%1\n");
        Resolvers resolvers = Resolvers.ofFile(file, () -> now);
        List<InetSocketAddress> found = resolvers.servers();
        assertThat(found)
                .extracting(a -> ((Inet6Address) a.getAddress()).getScopeId())
                .containsExactly(7, 1);
        // Looked at again although the file is the same: the interface may be there now, or be another one.
        twoSecondsPass();
        assertThat(resolvers.servers()).isNotSameAs(found).isEqualTo(found);
    }

    /** resolv.conf may be a link to all servers of all links; the host's programs ask systemd-resolved all the same. */
    @Test
    void linkPastTheStub_isAskedByTheStub_ifTheHostsProgramsAskThere() throws IOException {
        Path behind = Files.writeString(dir.resolve("behind"), "nameserver 192.0.2.1\nnameserver 10.8.0.1\n");
        Path file = Files.createSymbolicLink(dir.resolve("resolv.conf"), behind);
        Path nsswitch = dir.resolve("nsswitch.conf");
        Resolvers resolvers = Resolvers.ofFile(file, behind, nsswitch, () -> now);
        assertThat(resolvers.servers()).containsExactly(resolver("192.0.2.1"), resolver("10.8.0.1"));

        for (String not : List.of("files dns", "files resolved dns", "files # resolve", "dns\nhosts_: resolve")) {
            Files.writeString(nsswitch, "passwd: files\nhosts: " + not + "\n");
            twoSecondsPass();
            assertThat(resolvers.servers()).as(not).hasSize(2);
        }
        for (String yes :
                List.of("mymachines resolve [!UNAVAIL=return] files myhostname dns", "resolve", "files\tresolve")) {
            Files.writeString(nsswitch, "passwd: files\nhosts: " + yes + "\n");
            twoSecondsPass();
            assertThat(resolvers.servers()).as(yes).containsExactly(resolver("127.0.0.53"));
            assertThat(resolvers.lastResort()).containsExactly(resolver("192.0.2.1"), resolver("10.8.0.1"));
        }

        Files.delete(file);
        Files.writeString(file, "nameserver 192.0.2.9\n"); // a file of its own means what it says
        twoSecondsPass();
        assertThat(resolvers.servers()).containsExactly(resolver("192.0.2.9"));
    }

    /** systemd-resolved: its stub is asked, and what that asks only if the stub is not there. */
    @Test
    void behindTheStub_isTheLastResort() throws IOException {
        Path file = Files.writeString(dir.resolve("resolv.conf"), "nameserver 127.0.0.53\nsearch a.test\n");
        Path behind = dir.resolve("behind");
        Resolvers resolvers = Resolvers.ofFile(file, behind, dir.resolve("nsswitch.conf"), () -> now);
        assertThat(resolvers.servers()).containsExactly(resolver("127.0.0.53"));
        assertThat(resolvers.lastResort()).isEmpty();

        Files.writeString(behind, "nameserver 192.0.2.1\nnameserver fe80::1%7\nsearch b.test\n");
        twoSecondsPass();
        assertThat(resolvers.servers()).containsExactly(resolver("127.0.0.53"));
        assertThat(resolvers.lastResort()).hasSize(2).contains(resolver("192.0.2.1"));
        assertThat(resolvers.searchDomains()).containsExactly("a.test");

        Files.writeString(behind, "nameserver 192.0.2.222\n"); // another network; the stub's file stays
        twoSecondsPass();
        assertThat(resolvers.lastResort()).containsExactly(resolver("192.0.2.222"));

        resolvers.choose(List.of(resolver("192.0.2.5")));
        assertThat(resolvers.lastResort()).isEmpty();
        resolvers.choose(List.of());
        Files.writeString(file, "nameserver 192.0.2.6\nnameserver 127.0.0.53\n");
        twoSecondsPass();
        assertThat(resolvers.lastResort()).isEmpty();
    }
}
