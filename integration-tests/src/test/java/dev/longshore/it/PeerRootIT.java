package dev.longshore.it;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Other people's programs run, see each other and nothing else, and end with their machine. */
@Order(5)
@Timeout(1200)
@BesideTheGuest
class PeerRootIT {
    @Test
    void serverAndClient_onLoopbackOnly_endWithTheMachine() {
        Running nsd;
        try (PeerMachine machine = PeerRoot.ensure().boot()) {
            machine.write("/lab/zone", """
                    $ORIGIN peer.test.
                    @ 60 IN SOA ns hostmaster 1 3600 600 86400 60
                    @ IN NS ns
                    ns IN A 192.0.2.53
                    """);
            machine.write("/lab/nsd.conf", """
                    server:
                      ip-address: 127.0.0.1@5300
                      username: ""
                      zonesdir: /lab
                      pidfile: ""
                      database: ""
                      xfrdfile: ""
                      zonelistfile: ""
                    zone:
                      name: peer.test
                      zonefile: zone
                    """);
            nsd = machine.serve(5300, "nsd", "-d", "-c", "/lab/nsd.conf");
            assertThat(machine.in("dig", "+short", "-p", "5300", "@127.0.0.1", "ns.peer.test")
                            .run()
                            .expectOk()
                            .text())
                    .isEqualTo("192.0.2.53");
            assertThat(machine.in("ip", "-o", "link").run().expectOk().out().lines())
                    .allMatch(line -> line.contains(": lo:"));
        }
        Running gone = nsd;
        Await.until("nsd's end", Duration.ofSeconds(10), () -> !gone.isAlive());
        gone.close();
    }
}
