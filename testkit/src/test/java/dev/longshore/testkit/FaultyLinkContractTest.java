package dev.longshore.testkit;

import dev.longshore.packet.link.FaultyLink;
import dev.longshore.packet.link.Link;
import io.netty.buffer.Unpooled;
import java.util.SplittableRandom;

/** The link around another one that has faults: without any, it is as good as that. */
class FaultyLinkContractTest extends VirtualLinkContractTest {
    @Override
    Link around(VirtualLink virtual) {
        return new FaultyLink(virtual, 0, new SplittableRandom(1), Unpooled.directBuffer());
    }
}
