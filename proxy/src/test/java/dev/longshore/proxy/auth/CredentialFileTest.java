package dev.longshore.proxy.auth;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.proxy.route.ProxyAddress;
import dev.longshore.proxy.route.ProxyAddress.Login;
import dev.longshore.proxy.route.ProxyAddress.Protocol;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The file {@code proxy-logins}. */
class CredentialFileTest {
    private static final ProxyAddress PROXY = new ProxyAddress(Protocol.HTTP, "proxy.test", 3128, null);

    @TempDir
    private Path files;

    private CredentialFile logins(String permissions, String text) throws IOException {
        Path file = Files.writeString(files.resolve("proxy-logins"), text);
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(permissions));
        return new CredentialFile(file);
    }

    @Test
    void file_hasTheLoginOfThisProxyAndNoOther() throws IOException {
        CredentialFile file = logins("rw-------", """
                # what we use at work
                http://other:x@other.test:3128

                http://port:x@proxy.test:8080
                socks5://scheme:x@proxy.test:3128
                http://nobody.test:3128
                not a URL
                http://bob:b0b%3Apa%20ss%2B+@PROXY.test:3128
                http://late:x@proxy.test:3128
                http://six@[2001:db8::1]:3128
                """);

        assertThat(file.find(PROXY)).isEqualTo(new Login("bob", "b0b:pa ss++"));
        assertThat(file.find(new ProxyAddress(Protocol.HTTP, "2001:db8::1", 3128, null)))
                .isEqualTo(new Login("six", ""));
        assertThat(file.find(new ProxyAddress(Protocol.HTTPS, "proxy.test", 3128, null)))
                .isNull();
    }

    @Test
    void fileOfOthers_orNone_isNotUsed() throws IOException {
        String line = "http://bob:x@proxy.test:3128\n";
        assertThat(logins("r--------", line).find(PROXY)).isNotNull();
        assertThat(logins("rw-r-----", line).find(PROXY)).isNull();
        assertThat(logins("rw-----w-", line).find(PROXY)).isNull();
        assertThat(new CredentialFile(files.resolve("absent")).find(PROXY)).isNull();
        assertThat(new CredentialFile(files).find(PROXY)).isNull();
    }
}
