package dev.longshore.backend;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/** The certificates of the authorities that the host trusts, as the guest's Engine is given them. No state. */
final class HostAuthorities {
    /** Where distributions keep their store as one file: Debian, Fedora, SUSE, Alpine. The first that is there counts, as for Go. */
    static final List<Path> STORES = List.of(
            Path.of("/etc/ssl/certs/ca-certificates.crt"),
            Path.of("/etc/pki/tls/certs/ca-bundle.crt"),
            Path.of("/etc/ssl/ca-bundle.pem"),
            Path.of("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
            Path.of("/etc/ssl/cert.pem"));

    private static final long MAX_FILE_BYTES = 2 << 20;
    private static final String BEGIN = "-----BEGIN CERTIFICATE-----";
    private static final String END = "-----END CERTIFICATE-----";
    private static final int MAX_LINE = 500;

    /**
     * Lines of PEM, and what could not be had.
     *
     * @param problems for the user, one for each file
     */
    record Found(List<String> lines, List<String> problems) {
        Found {
            lines = List.copyOf(lines);
            problems = List.copyOf(problems);
        }

        long certificates() {
            return lines.stream().filter(BEGIN::equals).count();
        }
    }

    /** The host's store and {@code files} behind it. Reads files: not on an event loop. */
    static Found read(List<Path> files) {
        return read(STORES, files);
    }

    static Found read(List<Path> stores, List<Path> files) {
        Set<List<String>> certificates = new LinkedHashSet<>();
        List<String> problems = new ArrayList<>();
        stores.stream().filter(Files::isReadable).findFirst().ifPresent(store -> add(store, certificates, problems));
        for (Path file : files) {
            int before = certificates.size();
            int problemsBefore = problems.size();
            add(file, certificates, problems);
            if (certificates.size() == before && problems.size() == problemsBefore && !hasCertificate(file)) {
                problems.add(file + " of certificateAuthorities has no certificate: it must be PEM, with " + BEGIN);
            }
        }
        return new Found(certificates.stream().flatMap(List::stream).collect(Collectors.toList()), problems);
    }

    private static boolean hasCertificate(Path file) {
        Set<List<String>> own = new LinkedHashSet<>();
        add(file, own, new ArrayList<>());
        return !own.isEmpty();
    }

    /** Only certificates: a file of somebody's may hold a key, which is nobody's business. */
    private static void add(Path file, Set<List<String>> certificates, List<String> problems) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                problems.add(file + " is no file of certificates: larger than " + (MAX_FILE_BYTES >> 20) + " MiB");
                return;
            }
            List<String> current = new ArrayList<>();
            for (String line : Files.readString(file, StandardCharsets.ISO_8859_1)
                    .lines()
                    .map(String::strip)
                    .toList()) {
                if (line.equals(BEGIN)) {
                    current.clear();
                    current.add(line);
                } else if (!current.isEmpty() && line.equals(END)) {
                    current.add(line);
                    certificates.add(List.copyOf(current));
                    current.clear();
                } else if (!current.isEmpty() && line.length() <= MAX_LINE && line.matches("[A-Za-z0-9+/=]+")) {
                    current.add(line);
                } else if (!current.isEmpty()) {
                    current.clear(); // not base64: no certificate after all
                }
            }
        } catch (IOException e) {
            problems.add(file + " can't be read: " + e);
        }
    }

    private HostAuthorities() {}
}
