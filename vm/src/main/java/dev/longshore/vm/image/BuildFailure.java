package dev.longshore.vm.image;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds, in what the tools printed, the sentence that helps the user. */
final class BuildFailure {
    private enum Kind {
        NO_SPACE("No space left on device", "there is no space left on the disk"),
        ARCHIVE(
                "(?i)could not resolve|temporary failure resolving|could not connect|unable to connect|connection refused"
                        + "|connection timed out|connection failed|network is unreachable|failed to fetch",
                "the Debian archive can't be reached. Longshore downloads the guest's packages once; check this machine's"
                        + " network, and http_proxy if it needs a proxy, then try again"),
        SIGNATURE(
                "(?i)NO_PUBKEY|is not signed|invalid signature|EXPKEYSIG",
                "the signatures of the Debian archive can't be checked: install the newest debian-archive-keyring"),
        NAMESPACE(
                "(?i)unshare.*(not permitted|failed)|newuidmap|subuid|clone.*not permitted",
                "this system does not let an ordinary user build a root file system. Either allow user namespaces and give"
                        + " your user a range in /etc/subuid and /etc/subgid (package uidmap), or run this once as root"),
        PACKAGE(
                "(?i)unable to locate package|has no installation candidate",
                "the archive lacks a package of the guest");

        private final Pattern pattern;
        private final String advice;

        Kind(String pattern, String advice) {
            this.pattern = Pattern.compile(pattern);
            this.advice = advice;
        }
    }

    private BuildFailure() {}

    /** @param output the last lines of the failed tool */
    static String explain(String tool, int exitCode, List<String> output) {
        for (Kind kind : Kind.values()) {
            for (String line : output) {
                if (kind.pattern.matcher(line).find()) {
                    return kind.advice + " (" + tool + " said: " + line.trim() + ")";
                }
            }
        }
        String last = Stream.concat(Stream.of(""), output.stream())
                .filter(line -> line.startsWith("E:") || line.contains("rror"))
                .reduce("", (a, b) -> b);
        return tool + " failed with exit code " + exitCode + (last.isEmpty() ? "" : ": " + last.trim());
    }
}
