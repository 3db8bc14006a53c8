package dev.longshore.vpnkit.flow;

import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.VirtualLoop;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FlowOwnersTest {
    private static final IpAddress GUEST = IpAddress.parse("192.168.65.3");
    private static final IpAddress WEB = IpAddress.parse("172.17.0.2");

    private final VirtualLoop loop = new VirtualLoop();
    private final ScriptedDirectory directory = new ScriptedDirectory();
    private final FlowOwners owners = new FlowOwners(directory, GUEST::equals, loop);

    @AfterEach
    void close() {
        owners.close();
        loop.close();
    }

    private ContainerAccount account() {
        assertThat(owners.accounts()).hasSize(1);
        return owners.accounts().getFirst();
    }

    @Test
    void knownContainer_ownsTheFlowFromItsFirstPacket() {
        ContainerIdentity web = directory.put("172.17.0.2", "web");
        FlowOwner owner = owners.begin(WEB);
        owner.countFromGuest(10);
        owner.countToGuest(200);

        assertThat(owner.identity()).isEqualTo(web);
        assertThat(directory.asking()).isZero();
        assertThat(account().identity()).isEqualTo(web);
        assertThat(account().flows()).isEqualTo(1);
        assertThat(account().bytesFromGuest()).isEqualTo(10);
        assertThat(account().bytesToGuest()).isEqualTo(200);
    }

    @Test
    void guestItself_isNobody_andNobodyIsAsked_whateverTheDirectorySays() {
        directory.put("192.168.65.3", "impostor");
        FlowOwner owner = owners.begin(GUEST);
        owner.countFromGuest(10);
        owner.end();

        assertThat(owner.identity()).isNull();
        assertThat(directory.looks).isZero();
        assertThat(owners.accounts()).isEmpty();
    }

    @Test
    void unknownContainer_isAskedFor_andGetsWhatWasCountedMeanwhile() {
        FlowOwner owner = owners.begin(WEB);
        owner.countFromGuest(10);
        owner.countToGuest(20);
        assertThat(owner.identity()).isNull();
        assertThat(directory.asking()).isEqualTo(1);

        directory.answer(ScriptedDirectory.container("web"));
        loop.runDue();
        owner.countFromGuest(1);

        assertThat(owner.identity()).isEqualTo(ScriptedDirectory.container("web"));
        assertThat(account().bytesFromGuest()).isEqualTo(11);
        assertThat(account().bytesToGuest()).isEqualTo(20);
        assertThat(account().hasFlows()).isTrue();
    }

    @Test
    void flowThatEndsBeforeTheAnswer_isCountedAllTheSame() {
        FlowOwner owner = owners.begin(WEB);
        owner.countFromGuest(10);
        owner.end();
        directory.answer(ScriptedDirectory.container("web"));
        loop.runDue();

        assertThat(account().flows()).isEqualTo(1);
        assertThat(account().bytesFromGuest()).isEqualTo(10);
        assertThat(account().hasFlows()).isFalse();
    }

    @Test
    void nobodyKnows_flowStaysNobodys() {
        FlowOwner owner = owners.begin(WEB);
        directory.answer(null);
        loop.runDue();
        directory.put("172.17.0.2", "later");

        assertThat(owner.identity()).isNull();
        assertThat(owners.isStale(owner, WEB.hi(), WEB.lo())).isFalse();
    }

    @Test
    void addressThatPassedOn_makesTheFlowStale_otherChangesDoNot() {
        directory.put("172.17.0.2", "web");
        FlowOwner owner = owners.begin(WEB);
        int looks = directory.looks;
        assertThat(owners.isStale(owner, WEB.hi(), WEB.lo())).isFalse();
        assertThat(directory.looks).as("nothing has changed").isEqualTo(looks);

        directory.put("172.17.0.3", "db");
        assertThat(owners.isStale(owner, WEB.hi(), WEB.lo())).isFalse();

        directory.put("172.17.0.2", "next");
        assertThat(owners.isStale(owner, WEB.hi(), WEB.lo())).isTrue();
        assertThat(owner.identity()).isEqualTo(ScriptedDirectory.container("web"));
    }

    @Test
    void addressThatIsNobodysNow_makesTheFlowStale() {
        directory.put("172.17.0.2", "web");
        FlowOwner owner = owners.begin(WEB);
        directory.remove("172.17.0.2");
        assertThat(owners.isStale(owner, WEB.hi(), WEB.lo())).isTrue();
    }

    @Test
    void account_goesWithTheContainer_butNotBeforeItsLastFlow() {
        directory.put("172.17.0.2", "web");
        FlowOwner owner = owners.begin(WEB);
        loop.advance(Duration.ofMinutes(10));
        assertThat(owners.accounts()).hasSize(1);

        directory.remove("172.17.0.2");
        loop.advance(Duration.ofMinutes(1));
        assertThat(owners.accounts()).as("it has a flow").hasSize(1);

        owner.end();
        owner.end();
        loop.advance(Duration.ofSeconds(11));
        assertThat(owners.accounts()).isEmpty();
        assertThat(loop.nanosToNextTimer()).as("no timer without accounts").isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void containersWithoutEnd_areNamed_andOnlySoManyHaveAnAccount() {
        for (int i = 0; i < FlowOwners.MAX_ACCOUNTS + 50; i++) {
            String address = "172.18." + i / 250 + "." + (1 + i % 250);
            directory.put(address, "c" + i);
            FlowOwner owner = owners.begin(IpAddress.parse(address));
            assertThat(owner.identity()).isEqualTo(ScriptedDirectory.container("c" + i));
            owner.countFromGuest(1);
            owner.end();
        }
        assertThat(owners.accounts()).hasSize(FlowOwners.MAX_ACCOUNTS);
    }
}
