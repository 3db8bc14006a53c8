package dev.longshore.proxy.auth;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Date;
import java.util.Set;
import javax.security.auth.Subject;
import javax.security.auth.kerberos.KerberosPrincipal;
import javax.security.auth.kerberos.KerberosTicket;

/**
 * Tickets that no KDC gave: good for a first token, which needs none of it to be true. Thread-safe: holds nothing that changes.
 */
final class ForgedTickets {
    private static final String REALM = "R.TEST";
    private static final int AES256 = 18; // RFC 3962 §7
    private static final int KEY_BYTES = 32;

    private ForgedTickets() {}

    /** Of {@code user@R.TEST} for a service of that realm, as in {@code HTTP/proxy.test}. Sets the process's krb5.conf. */
    static Kerberos.Holder of(String service) {
        configure();
        Subject subject = new Subject(
                false,
                Set.of(new KerberosPrincipal("user@" + REALM)),
                Set.of(),
                Set.of(ticket("krbtgt/" + REALM), ticket(service)));
        return new Kerberos.Holder(subject);
    }

    private static void configure() {
        if (System.getProperty("java.security.krb5.conf") != null) {
            return;
        }
        try {
            Path file = Files.createTempFile("krb5", ".conf");
            file.toFile().deleteOnExit();
            Files.writeString(file, """
                [libdefaults]
                default_realm = R.TEST
                dns_lookup_kdc = false
                dns_lookup_realm = false
                [realms]
                R.TEST = {
                  kdc = 127.0.0.1:1
                }
                """);
            System.setProperty("java.security.krb5.conf", file.toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static KerberosTicket ticket(String service) {
        Instant now = Instant.now();
        return new KerberosTicket(
                encoded(service),
                new KerberosPrincipal("user@" + REALM),
                new KerberosPrincipal(service + "@" + REALM, KerberosPrincipal.KRB_NT_SRV_INST),
                new byte[KEY_BYTES],
                AES256,
                new boolean[32],
                Date.from(now),
                Date.from(now),
                Date.from(now.plusSeconds(360_000)),
                null,
                null);
    }

    /** RFC 4120 §5.3: a Ticket, whose encrypted part is zeros. */
    private static byte[] encoded(String service) {
        String[] parts = service.split("/", -1);
        byte[] names = der(0x30, text(parts[0]), text(parts[1]));
        byte[] name = der(0x30, der(0xA0, integer(2)), der(0xA1, names));
        byte[] secret = der(0x30, der(0xA0, integer(AES256)), der(0xA2, der(0x04, new byte[64])));
        byte[] ticket = der(0x30, der(0xA0, integer(5)), der(0xA1, text(REALM)), der(0xA2, name), der(0xA3, secret));
        return der(0x61, ticket);
    }

    private static byte[] integer(int value) {
        return der(0x02, new byte[] {(byte) value});
    }

    private static byte[] text(String value) {
        return der(0x1B, value.getBytes(StandardCharsets.US_ASCII));
    }

    /** X.690 §8.1 with lengths below 65,536. */
    private static byte[] der(int tag, byte[]... contents) {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        for (byte[] c : contents) {
            content.writeBytes(c);
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(tag);
        if (content.size() < 128) {
            out.write(content.size());
        } else {
            out.write(0x82);
            out.write(content.size() >> 8);
            out.write(content.size());
        }
        out.writeBytes(content.toByteArray());
        return out.toByteArray();
    }
}
