package dev.longshore.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;

/** Reads {@code settings.json}: JSON, in which comments and trailing commas are allowed. Never writes it. */
public final class SettingsFile {
    private static final long MAX_BYTES = 1 << 20;
    private static final int MAX_DEPTH = 32;

    /** Jackson's note on where an object began, without what would tell it. */
    private static final Pattern SOURCE = Pattern.compile(" ?\\(start marker at \\[[^]]*]\\)");

    private SettingsFile() {}

    /** The defaults if the file does not exist. All problems of the content are collected; none is thrown. */
    public static SettingsResult read(Path file) {
        try {
            if (Files.size(file) > MAX_BYTES) {
                return refused(0, "larger than " + MAX_BYTES + " bytes");
            }
            return parse(Files.readString(file));
        } catch (NoSuchFileException e) {
            return new SettingsResult.Usable(Settings.DEFAULTS, List.of());
        } catch (IOException e) {
            return refused(0, "cannot be read: " + e.getMessage());
        }
    }

    /** As {@link #read}, from the file's content. */
    public static SettingsResult parse(String json) {
        JsonFactory factory = JsonFactory.builder()
                .enable(JsonReadFeature.ALLOW_JAVA_COMMENTS)
                .enable(JsonReadFeature.ALLOW_TRAILING_COMMA)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(MAX_DEPTH)
                        .build())
                .build();
        try (JsonParser parser = factory.createParser(ObjectReadContext.empty(), json)) {
            if (parser.nextToken() == null) {
                return refused(0, "the file is empty; delete it, or write {} for the defaults");
            }
            JsonTree tree = JsonTree.read(parser);
            if (parser.nextToken() != null) {
                return refused(parser.currentTokenLocation().getLineNr(), "there is more after the end of the object");
            }
            return tree instanceof JsonTree.Obj o ? check(o) : refused(tree.line(), "the file must be an object {…}");
        } catch (JacksonException e) {
            int line = e.getLocation() == null ? 0 : Math.max(0, e.getLocation().getLineNr());
            return refused(
                    line, "not JSON: " + SOURCE.matcher(e.getOriginalMessage()).replaceAll(""));
        }
    }

    private static SettingsResult check(JsonTree.Obj tree) {
        List<Problem> problems = new ArrayList<>();
        List<Problem> warnings = new ArrayList<>();
        FieldReader top = new FieldReader("", tree, problems, warnings);
        Settings settings = new Settings(
                vm(top.object("vm"), Settings.DEFAULTS.vm()),
                network(top.object("network"), Settings.DEFAULTS.network()),
                ports(top.object("ports"), Settings.DEFAULTS.ports()),
                limits(top.object("limits"), Settings.DEFAULTS.limits()));
        top.warnOfOthers();
        return problems.isEmpty()
                ? new SettingsResult.Usable(settings, warnings)
                : new SettingsResult.Refused(problems);
    }

    private static Settings.Vm vm(FieldReader in, Settings.Vm d) {
        Settings.Vm vm = new Settings.Vm(
                in.choice("kind", d.kind(), VmKind.values()),
                in.integer("cpus", d.cpus(), 0, 64),
                in.integer("memoryMiB", d.memoryMiB(), 256, 262_144),
                in.integer("diskSizeMiB", d.diskSizeMiB(), 1_024, 16_777_216),
                in.bool("umlSeccomp", d.umlSeccomp()));
        in.warnOfOthers();
        return vm;
    }

    private static Settings.Network network(FieldReader in, Settings.Network d) {
        Settings.Network network = new Settings.Network(
                in.parsed("subnet", d.subnet(), Ipv4Subnet::parse),
                in.bool("moveSubnet", d.moveSubnet()),
                in.integer("mtu", d.mtu(), 576, 65_520),
                in.addresses("dnsServers", d.dnsServers()),
                in.bool("ping", d.ping()),
                in.parsed("pcapFile", d.pcapFile(), SettingsFile::absolutePathOrEmpty),
                in.choice("ipv6", d.ipv6(), Ipv6Mode.values()));
        if (network.ipv6() == Ipv6Mode.ON && network.mtu() < AddressPlan.IPV6_MIN_MTU) {
            in.reject(
                    "ipv6",
                    "needs an mtu of at least " + AddressPlan.IPV6_MIN_MTU + ", or \"auto\" to do without IPv6");
        }
        if (network.subnet().prefix() < 16 || network.subnet().prefix() > 24) {
            in.reject("subnet", "must be a /16 to /24, so that all its places fit and it stays private");
        }
        in.warnOfOthers();
        return network;
    }

    private static Settings.Ports ports(FieldReader in, Settings.Ports d) {
        Settings.Ports ports = new Settings.Ports(in.choice("binding", d.binding(), PortBinding.values()));
        in.warnOfOthers();
        return ports;
    }

    private static Settings.Limits limits(FieldReader in, Settings.Limits d) {
        Settings.Limits limits = new Settings.Limits(
                in.integer("tcpFlows", d.tcpFlows(), 16, 1_000_000),
                in.integer("udpFlows", d.udpFlows(), 16, 1_000_000),
                in.integer("publishedPorts", d.publishedPorts(), 1, 65_535),
                in.integer("logMiB", d.logMiB(), 1, 10_000));
        in.warnOfOthers();
        return limits;
    }

    private static String absolutePathOrEmpty(String text) {
        if (!text.isEmpty() && !text.startsWith("/")) {
            throw new IllegalArgumentException("must be an absolute path, or empty");
        }
        return text;
    }

    private static SettingsResult refused(int line, String text) {
        return new SettingsResult.Refused(List.of(new Problem("", line, text)));
    }
}
