package dev.longshore.cli.diagnose;

import dev.longshore.config.Home;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.Port;
import dev.longshore.proto.control.v1.State;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** What a daemon says of itself and its guest, and whether that is so. */
public final class DaemonChecks {
    private static final long PING_SECONDS = 10;
    private static final String DAEMON = "does the daemon answer?";
    private static final String GUEST = "does the guest run?";
    private static final String NETWORK = "is the guest's network up?";
    private static final String ENGINE = "does the Docker Engine answer?";
    private static final String PROXY = "are the settings of proxies obeyed as they were meant?";
    private static final String PORTS = "are all published ports bound?";

    private DaemonChecks() {}

    /**
     * Where none answers.
     *
     * @param reason with what to do
     */
    public static List<Check> withoutDaemon(String reason) {
        String left = "there is no daemon";
        return List.of(
                Check.fail("daemon", DAEMON, reason),
                Check.skip("guest", GUEST, left),
                Check.skip("network", NETWORK, left),
                Check.skip("engine", ENGINE, left),
                Check.skip("proxy", PROXY, left),
                Check.skip("ports", PORTS, left));
    }

    /** Where one answers; asks the Engine, too. */
    public static List<Check> of(Home home, GetStatusReply status, List<Port> ports) throws InterruptedException {
        List<Check> checks = new ArrayList<>();
        checks.add(Check.pass(
                "daemon",
                DAEMON,
                "version " + status.getDaemon().getVersion() + ", pid "
                        + status.getDaemon().getPid()));
        boolean runs = status.getState() == State.STATE_RUNNING;
        checks.add(
                runs
                        ? Check.pass("guest", GUEST, status.getGuest().getKind())
                        : Check.fail("guest", GUEST, "no: " + status.getMessage()));
        checks.add(network(status));
        checks.add(engine(home));
        checks.add(proxy(status));
        checks.add(ports(ports));
        return checks;
    }

    private static Check network(GetStatusReply status) {
        String text = status.getNetwork().getSubnet()
                + (status.getNetwork().getMoved() ? ", as the configured one overlaps a route of the host" : "");
        return status.getNetwork().getLinkUp()
                ? Check.pass("network", NETWORK, text)
                : Check.fail("network", NETWORK, "no; longshore logs --console shows what the guest says");
    }

    private static Check engine(Home home) throws InterruptedException {
        try {
            String line = EnginePing.statusLine(home.dockerSocket(), PING_SECONDS);
            return line.startsWith("HTTP/1.1 200")
                    ? Check.pass("engine", ENGINE, home.dockerHost())
                    : Check.fail("engine", ENGINE, "it says: " + line);
        } catch (IOException e) {
            return Check.fail("engine", ENGINE, e.getMessage() + " (" + home.dockerSocket() + ")");
        }
    }

    private static Check proxy(GetStatusReply status) {
        String trouble = String.join("; ", status.getNetwork().getProxyProblemsList());
        return trouble.isEmpty()
                ? Check.pass("proxy", PROXY, status.getNetwork().getProxy())
                : Check.fail("proxy", PROXY, status.getNetwork().getProxy() + ": " + trouble);
    }

    private static Check ports(List<Port> ports) {
        String trouble = ports.stream()
                .filter(p -> !p.getNote().isEmpty())
                .map(p -> p.getHost().getAddress() + ":" + p.getHost().getPort() + " " + p.getNote())
                .collect(Collectors.joining("; "));
        return trouble.isEmpty()
                ? Check.pass("ports", PORTS, Integer.toString(ports.size()))
                : Check.fail("ports", PORTS, trouble);
    }
}
