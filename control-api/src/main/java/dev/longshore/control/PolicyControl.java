package dev.longshore.control;

import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** What the control socket asks of the egress policy. Thread-safe. */
public interface PolicyControl {
    /** At least one explanation, one for each address. Fails with WRONG_STATE if no guest runs, NOT_FOUND for an unknown container. */
    CompletionStage<Outcome<List<Explained>>> explain(Question question);

    /** Fails with WRONG_STATE if no guest runs. */
    CompletionStage<Outcome<InForce>> inForce();

    enum Action {
        ALLOW,
        DENY
    }

    enum Mode {
        ENFORCE,
        DRY_RUN,
        OFF
    }

    /**
     * An attempt. Immutable.
     *
     * @param container a name, an id or the beginning of one; empty if it is none
     * @param address of who asks, a literal; empty if it is not given. Both empty: the guest itself
     * @param host a name or an address
     * @param port 0 for a ping
     */
    record Question(String container, String address, Flows.Protocol protocol, String host, int port) {}

    /** One answer. Immutable; the fields are explained in {@code policy.proto}. */
    record Explained(
            String attempt,
            @Nullable String address,
            Action verdict,
            Action action,
            String rule,
            Mode mode,
            List<Step> steps,
            List<String> names) {}

    /** One rule of an answer. Immutable. */
    record Step(String rule, Action action, boolean dryRun, boolean fits, String why) {}

    /** The policy in force. Immutable. */
    record InForce(
            Mode mode, Action byDefault, long defaults, List<Rule> rules, String json, long connections, long names) {}

    /** One rule of it. Immutable. */
    record Rule(String name, Action action, boolean dryRun, String json, long decisions, long trials) {}
}
