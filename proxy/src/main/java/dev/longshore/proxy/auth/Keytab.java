package dev.longshore.proxy.auth;

import java.nio.file.Path;

/**
 * Keys of one who needs no password. Immutable; the keys themselves stay in the file.
 *
 * @param principal as in {@code svc@EXAMPLE.COM}
 * @param file as {@code ktutil} and {@code kadmin} write it
 */
public record Keytab(String principal, Path file) {
    /** {@code PRINCIPAL=FILE}, checked by the settings. */
    public static Keytab parse(String text) {
        int equals = text.indexOf('=');
        return new Keytab(text.substring(0, equals), Path.of(text.substring(equals + 1)));
    }
}
