package dev.longshore.testkit;

import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;

/** Keys and certificates of a test, made by the JDK's keytool, as PEM files in one directory. */
public final class Certificates {
    private static final String PASSWORD = "changeit";

    private final Path directory;
    private final Path store;

    /** In an empty directory. */
    public Certificates(Path directory) {
        this.directory = directory;
        this.store = directory.resolve("all.p12");
    }

    /** A root, which signs others. */
    public Certificates root(String name) throws Exception {
        return make(name, "-ext", "bc:c");
    }

    /** A certificate for 127.0.0.1, signed by the root {@code signer}. */
    public Certificates signed(String name, String signer) throws Exception {
        return make(name, "-signer", signer, "-ext", "san=ip:127.0.0.1");
    }

    private Certificates make(String name, String... more) throws Exception {
        List<String> line = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "keytool").toString(),
                "-genkeypair",
                "-alias",
                name,
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-dname",
                "CN=" + name,
                "-storetype",
                "PKCS12",
                "-storepass",
                PASSWORD,
                "-keystore",
                store.toString()));
        line.addAll(List.of(more));
        Process process = new ProcessBuilder(line).redirectErrorStream(true).start();
        String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (process.waitFor() != 0) {
            throw new AssertionError(out);
        }
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, PASSWORD.toCharArray());
        }
        StringBuilder chain = new StringBuilder();
        for (Certificate c : keys.getCertificateChain(name)) {
            chain.append(pem("CERTIFICATE", c.getEncoded()));
        }
        Files.writeString(certificate(name), chain);
        Files.writeString(
                key(name),
                pem("PRIVATE KEY", keys.getKey(name, PASSWORD.toCharArray()).getEncoded()));
        return this;
    }

    private static String pem(String what, byte[] der) {
        return "-----BEGIN " + what + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der) + "\n-----END " + what + "-----\n";
    }

    /** The chain, the root last. */
    public Path certificate(String name) {
        return directory.resolve(name + ".pem");
    }

    /** PKCS #8, without a password. */
    public Path key(String name) {
        return directory.resolve(name + ".key");
    }
}
