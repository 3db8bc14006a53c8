/*
 * iptables and ip6tables as the Engine calls them: the system's own, with one word of the command changed.
 *
 * Packets of containers leave the guest with the container's address as source, so that the daemon knows whose they are. The first rule of
 * POSTROUTING in the table nat sees to that: what leaves by the card is accepted as it is. For each network the Engine puts a rule of its own
 * at the head of that chain, which would hide the container behind the guest's address. Nothing tells of such a change, and what is
 * mended behind it is too late for some packet; and the kernels' nf_tables have no nat chains that could come before. So the rule goes to the chain's
 * end. The order among those is of no importance, each is about another network; -C and -D find it there.
 */
#include "agent.h"

#include <stdio.h>
#include <string.h>

static bool is_number(const char *word) {
    int64_t value;
    return word && parse_decimal(word, 0, INT64_MAX, &value);
}

/* "-I POSTROUTING", with no place in the chain named, becomes "-A POSTROUTING" in the table nat. */
static void append_what_is_inserted(int argc, char **argv) {
    static char append[] = "-A";
    bool nat = false;
    for (int i = 1; i + 1 < argc; i++) {
        nat |= (strcmp(argv[i], "-t") == 0 || strcmp(argv[i], "--table") == 0) && strcmp(argv[i + 1], "nat") == 0;
    }
    for (int i = 1; nat && i + 1 < argc; i++) {
        bool insert = strcmp(argv[i], "-I") == 0 || strcmp(argv[i], "--insert") == 0;
        if (insert && strcmp(argv[i + 1], "POSTROUTING") == 0 && !is_number(argv[i + 2])) {
            argv[i] = append;
        }
    }
}

int iptables_main(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash ? slash + 1 : argv[0];
    append_what_is_inserted(argc, argv);
    host_exec_iptables(name, argv);
    perror(name);
    return 127;
}
