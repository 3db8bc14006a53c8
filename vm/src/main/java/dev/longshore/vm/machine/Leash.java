package dev.longshore.vm.machine;

import dev.longshore.vm.image.HostTools;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Words put before a guest's command, so that no process of the guest outlives the daemon, however that ends.
 *
 * <p>Theory of operation. {@code setpriv --pdeathsig KILL} has the kernel kill one process when the thread that started it
 * ends. That is not enough for User-mode Linux, which runs each program of the guest in a process of its own, traced by the
 * first: when the first is killed, the kernel lets the others go, and they <em>run on, on the host</em>, no longer under
 * anybody's control (seen with Debian 13's 6.12). So the guest is the first process of a pid namespace: when that one
 * ends, the kernel kills all others of the namespace. Making one takes root or a user namespace; where neither is to be
 * had, a shell watches the daemon's end of a pipe and kills the guest's process group.
 */
enum Leash {
    PID_NAMESPACE,
    USER_AND_PID_NAMESPACE,
    PROCESS_GROUP;

    /**
     * Standard input is a pipe whose other end the daemon holds. The guest makes itself, or is made, the leader of a group,
     * to which all its processes belong.
     */
    private static final String WATCHER = """
            trap '' HUP INT TERM
            exec 3<&0 </dev/null
            setsid setpriv --pdeathsig KILL -- "$@" 3<&- &
            guest=$!
            { read -r _ <&3; kill -KILL "-$guest" "$guest"; } 2>/dev/null &
            watcher=$!
            wait "$guest"
            code=$?
            kill -KILL "$watcher" 2>/dev/null
            kill -KILL "-$guest" 2>/dev/null
            exit "$code"
            """;

    private static final Logger LOG = LoggerFactory.getLogger(Leash.class);

    /** The first that works here: a few milliseconds. */
    static Leash choose(HostTools tools) throws MachineException, InterruptedException {
        for (String tool : List.of("setpriv", "setsid")) {
            if (tools.find(tool) == null) {
                throw new MachineException(
                        "running the guest needs " + tool + ": " + HostTools.installCommand(List.of("util-linux")));
            }
        }
        for (Leash leash : List.of(PID_NAMESPACE, USER_AND_PID_NAMESPACE)) {
            if (leash.works(tools)) {
                return leash;
            }
        }
        LOG.warn(
                "no process namespace can be made here (no root, no user namespaces): the guest's processes are tied to"
                        + " the daemon by a watching shell instead; do not kill that shell");
        return PROCESS_GROUP;
    }

    /** @param command the guest's */
    List<String> tie(List<String> command) {
        List<String> tied = new ArrayList<>(List.of("setpriv", "--pdeathsig", "KILL", "--"));
        tied.addAll(words());
        tied.addAll(command);
        return tied;
    }

    private List<String> words() {
        return switch (this) {
            case PID_NAMESPACE -> List.of("unshare", "--pid", "--fork", "--kill-child", "--");
            case USER_AND_PID_NAMESPACE ->
                List.of("unshare", "--user", "--map-current-user", "--pid", "--fork", "--kill-child", "--");
            case PROCESS_GROUP -> List.of("setsid", "--wait", "sh", "-c", WATCHER, "sh");
        };
    }

    private boolean works(HostTools tools) throws InterruptedException {
        try {
            return tools.run(tie(List.of("true")), Map.of(), _ -> {}) == 0;
        } catch (IOException e) {
            return false; // no such program
        }
    }
}
