package dev.longshore.vm.image;

import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;

/**
 * Makes the User-mode Linux kernel run on this host. It is a dynamic program of Debian 13; where the host's C library is
 * too old for it, it gets the image's own loader and library. Confined to the thread that builds.
 */
final class KernelFit {
    private final HostTools tools;
    private final Writer log;

    KernelFit(HostTools tools, Writer log) {
        this.tools = tools;
        this.log = log;
    }

    /**
     * @param kernel changed in place if need be
     * @param libraries where the image's {@code ld.so} and {@code libc.so.6} are
     * @param now where those two are copied to
     * @param later the name that {@code now} will have when the kernel is used
     */
    void fit(Path kernel, Path libraries, Path now, Path later)
            throws ImageException, IOException, InterruptedException {
        Files.setPosixFilePermissions(kernel, PosixFilePermissions.fromString("rwxr-xr-x"));
        if (answers(List.of(kernel.toString(), "--version"))) {
            return;
        }
        if (tools.find("patchelf") == null) {
            throw new ImageException("this host's C library is older than the guest kernel's, which patchelf can mend: "
                    + HostTools.installCommand(List.of("patchelf")));
        }
        for (String library : List.of("ld.so", "libc.so.6")) {
            Path copy = Files.copy(libraries.resolve(library), now.resolve(library));
            Files.setPosixFilePermissions(copy, PosixFilePermissions.fromString("rwxr-xr-x"));
        }
        Path original = Files.copy(kernel, kernel.resolveSibling("linux.debian"));
        patch(kernel, now);
        boolean runs = answers(List.of(kernel.toString(), "--version"));
        Files.copy(original, kernel, StandardCopyOption.REPLACE_EXISTING);
        patch(kernel, later);
        Files.delete(original);
        if (!runs) {
            throw new ImageException("the guest kernel does not run on this host, not even with its own C library");
        }
    }

    /** The option's name stands in the kernel's help text. */
    static boolean knowsSeccomp(Path kernel) throws IOException {
        return new String(Files.readAllBytes(kernel), StandardCharsets.ISO_8859_1).contains("seccomp=<on/auto/off>");
    }

    private void patch(Path kernel, Path directory) throws ImageException, IOException, InterruptedException {
        List<String> command = List.of(
                "patchelf",
                "--set-interpreter",
                directory.resolve("ld.so").toString(),
                "--set-rpath",
                directory.toString(),
                kernel.toString());
        if (!answers(command)) {
            throw new ImageException("patchelf could not change the guest kernel " + kernel);
        }
        Files.setPosixFilePermissions(kernel, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    private boolean answers(List<String> command) throws IOException, InterruptedException {
        return tools.runLogged(command, Map.of(), log, line -> {}) == 0;
    }
}
