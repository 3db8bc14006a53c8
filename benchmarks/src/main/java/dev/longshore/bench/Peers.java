package dev.longshore.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Programs of other projects: those on PATH or, before them, those below a Debian root directory that need not be of this
 * machine's release. Immutable.
 *
 * @param root a directory that holds {@code usr/bin} and the C library that its programs want; empty: PATH alone
 */
record Peers(Optional<Path> root) {
    /** How to start {@code program}, or empty. */
    Optional<List<String>> command(String program, String... arguments) {
        return inRoot(program)
                .or(() -> Commands.find(program).map(path -> List.of(path.toString())))
                .map(start ->
                        Stream.concat(start.stream(), Stream.of(arguments)).toList());
    }

    /** How to start a program that is on no PATH: {@code path} begins with {@code usr/}. */
    Optional<List<String>> commandAt(String path, String... arguments) {
        String directory = path.substring(0, path.lastIndexOf('/'));
        return inRoot(directory, path.substring(path.lastIndexOf('/') + 1))
                .or(() -> Optional.of(Path.of("/" + path))
                        .filter(Files::isExecutable)
                        .map(program -> List.of(program.toString())))
                .map(start ->
                        Stream.concat(start.stream(), Stream.of(arguments)).toList());
    }

    private Optional<List<String>> inRoot(String program) {
        return inRoot("usr/bin", program);
    }

    private Optional<List<String>> inRoot(String directory, String program) {
        return root.filter(r -> Files.isExecutable(r.resolve(directory).resolve(program)))
                .map(r -> {
                    List<String> start = new ArrayList<>();
                    Path loader = r.resolve("usr/lib64/ld-linux-x86-64.so.2");
                    Path file = variant(r.resolve(directory), program);
                    start.addAll(List.of(
                            loader.toString(),
                            "--library-path",
                            r.resolve("usr/lib/x86_64-linux-gnu").toString(),
                            "--argv0",
                            program,
                            file.toString()));
                    return start;
                });
    }

    /** passt and pasta go over to another file for newer processors by themselves, but not from under a loader. */
    private static Path variant(Path directory, String program) {
        Path avx2 = directory.resolve(program + ".avx2");
        boolean wanted = Files.isExecutable(avx2)
                && Commands.read(Path.of("/proc/cpuinfo"))
                        .lines()
                        .anyMatch(l -> l.startsWith("flags") && l.contains(" avx2 "));
        return wanted ? avx2 : directory.resolve(program);
    }

    Optional<String> obstacle(String program) {
        return command(program).isPresent() ? Optional.empty() : Optional.of(program + " is not installed");
    }
}
