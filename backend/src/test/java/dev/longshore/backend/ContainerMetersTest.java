package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.flow.ContainerAccount;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.flow.ContainerIdentity;
import dev.longshore.vpnkit.flow.FlowOwner;
import dev.longshore.vpnkit.flow.FlowOwners;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ContainerMetersTest {
    private static final IpAddress ADDRESS = IpAddress.parse("172.17.0.2");

    private final EventLoop loop = new DefaultEventLoop();
    private final Meters meters = new Meters();
    private final List<ContainerAccount> accounts = new ArrayList<>();
    private final ContainerMeters shown = new ContainerMeters(meters, () -> List.copyOf(accounts));

    ContainerMetersTest() {
        meters.group(shown::refresh);
    }

    @AfterEach
    void close() {
        loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).syncUninterruptibly();
    }

    /** A directory that knows one container, and is asked nothing. */
    private record One(Map<IpAddress, ContainerIdentity> known) implements ContainerDirectory {
        @Override
        public @Nullable ContainerIdentity of(IpAddress address) {
            return known.get(address);
        }

        @Override
        public Future<Optional<ContainerIdentity>> ask(IpAddress address, EventLoop on) {
            throw new AssertionError("asked");
        }
    }

    private ContainerAccount account(String id, String name, long bytes) throws Exception {
        ContainerIdentity who = new ContainerIdentity(id, name, "image", null, null, Set.of());
        return loop.submit(() -> {
                    FlowOwners owners = new FlowOwners(new One(Map.of(ADDRESS, who)), a -> false, loop);
                    FlowOwner flow = owners.begin(ADDRESS);
                    flow.countFromGuest(bytes);
                    flow.countToGuest(2 * bytes);
                    return owners.accounts().getFirst();
                })
                .get();
    }

    @Test
    void containers_haveMetersWhileTheyHaveAnAccount() throws Exception {
        accounts.add(account("0123456789abcdef", "web", 10));
        assertThat(meters.scrape())
                .contains("vpnkit_container_flows_opened_total{container=\"web\",id=\"0123456789ab\"} 1.0")
                .contains(
                        "vpnkit_container_bytes_total{container=\"web\",direction=\"fromGuest\",id=\"0123456789ab\"} 10.0")
                .contains(
                        "vpnkit_container_bytes_total{container=\"web\",direction=\"toGuest\",id=\"0123456789ab\"} 20.0");

        accounts.clear();
        assertThat(meters.scrape()).doesNotContain("vpnkit_container");
    }

    @Test
    void containersOfOneName_oneAfterTheOther_areTwo() throws Exception {
        accounts.add(account("aaaaaaaaaaaaaaaa", "web", 10));
        accounts.add(account("bbbbbbbbbbbbbbbb", "web", 30));
        assertThat(meters.scrape())
                .contains("container=\"web\",direction=\"fromGuest\",id=\"aaaaaaaaaaaa\"} 10.0")
                .contains("container=\"web\",direction=\"fromGuest\",id=\"bbbbbbbbbbbb\"} 30.0");

        shown.close();
        assertThat(meters.scrape()).doesNotContain("vpnkit_container");
    }
}
