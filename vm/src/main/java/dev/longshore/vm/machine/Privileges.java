package dev.longshore.vm.machine;

import java.util.List;

/** What the guest's program may do more than read and write its user's files: nothing. */
final class Privileges {
    private Privileges() {}

    /** Words put before a guest's command. */
    static List<String> drop(boolean root) {
        return root
                ? List.of("setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all", "--")
                : List.of("setpriv", "--no-new-privs", "--");
    }
}
