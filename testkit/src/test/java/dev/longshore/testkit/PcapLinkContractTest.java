package dev.longshore.testkit;

import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.PcapFile;
import dev.longshore.packet.link.PcapLink;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** The link around another one that is recorded. */
class PcapLinkContractTest extends VirtualLinkContractTest {
    @TempDir
    Path dir;

    @Override
    Link around(VirtualLink virtual) {
        try {
            return new PcapLink(virtual, PcapFile.create(dir.resolve("frames.pcap"), 65_550, () -> 0, e -> {
                throw new AssertionError(e);
            }));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
