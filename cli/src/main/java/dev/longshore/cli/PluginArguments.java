package dev.longshore.cli;

import java.util.List;
import java.util.Set;

/**
 * What docker passes to a plugin: its own arguments as the user wrote them, {@code docker --context x desktop status -h}. Those
 * before the plugin's name are docker's (docker(1)), and mean nothing here: the plugin is for one instance.
 */
final class PluginArguments {
    private static final Set<String> WITH_VALUE = Set.of(
            "--config", "-c", "--context", "-H", "--host", "-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey");

    private PluginArguments() {}

    /** From the plugin's name on; all of them if it is not there. */
    static List<String> own(List<String> arguments) {
        int i = 0;
        while (i < arguments.size() && arguments.get(i).startsWith("-")) {
            i += WITH_VALUE.contains(arguments.get(i)) ? 2 : 1;
        }
        return i < arguments.size() ? arguments.subList(i, arguments.size()) : arguments;
    }
}
