/* serve, a session of `fileevents`: what is done again below the shared folders. The tests' folder is a plain one, so it is really done. */
#include "harness.h"

#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVENT_GID 0xfffff000u

static pid_t agent;
static int session;

static void set_up(void) {
    CHECK(mkdir("shared", 0755) == 0 && mkdir("shared/src", 0755) == 0 && mkdir("shared/other", 0755) == 0, "mkdir");
    agent = start_serve();
    session = connect_to("4100");
    write_all(session, "fileevents\n", 11);
    CHECK(strcmp(read_line(session), "ok") == 0, "ok");
}

static void tear_down(void) {
    close(session);
    stop(agent);
}

static void say(const char *line, const char *answer) {
    write_all(session, line, strlen(line));
    const char *got = read_line(session);
    CHECK(strcmp(got, answer) == 0, "%s '%s'", line, got);
}

static void expect(const char *path, mode_t type) {
    struct stat s;
    CHECK(lstat(path, &s) == 0 && (s.st_mode & S_IFMT) == type, "%s %o", path, s.st_mode);
    CHECK(geteuid() != 0 || s.st_gid == EVENT_GID, "%s group %x", path, s.st_gid);
}

static void expect_none(const char *path) {
    struct stat s;
    CHECK(lstat(path, &s) < 0 && errno == ENOENT, "%s", path);
}

static void every_type_is_created_and_removed(void) {
    set_up();
    static const struct {
        char type;
        mode_t mode;
    } TYPES[] = {{'f', S_IFREG}, {'d', S_IFDIR}, {'l', S_IFLNK}, {'p', S_IFIFO}, {'s', S_IFSOCK}};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        char line[64];
        snprintf(line, sizeof line, "c %c src x\n", TYPES[i].type);
        say(line, "+");
        expect("shared/src/x", TYPES[i].mode);
        snprintf(line, sizeof line, "d %c src x\n", TYPES[i].type);
        say(line, "+");
        expect_none("shared/src/x");
    }
    tear_down();
}

static void names_are_bytes(void) {
    set_up();
    say("c d src a%20b%25\n", "+");
    expect("shared/src/a b%", S_IFDIR);
    say("c f src/a%20b%25 %0A%FF\n", "+");
    expect("shared/src/a b%/\n\xff", S_IFREG);
    tear_down();
}

static void moves_are_one_call(void) {
    set_up();
    int watch = inotify_init1(IN_CLOEXEC);
    CHECK(inotify_add_watch(watch, "shared/src", IN_MOVE) > 0 && inotify_add_watch(watch, "shared/other", IN_MOVE) > 0, "watch");
    say("c f src old\n", "+");
    say("v f src old other new\n", "+");
    expect("shared/other/new", S_IFREG);
    expect_none("shared/src/old");
    char events[512];
    ssize_t n = read(watch, events, sizeof events);
    const struct inotify_event *first = (const struct inotify_event *)events;
    const struct inotify_event *second = (const struct inotify_event *)(events + sizeof *first + first->len);
    CHECK(n > (ssize_t)(2 * sizeof *first), "%zd bytes", n);
    CHECK(first->mask == IN_MOVED_FROM && second->mask == IN_MOVED_TO && first->cookie == second->cookie, "cookie");
    say("v f src old other new\n", "- v 2");
    tear_down();
}

/* Reads what is there to read and gives the masks together. */
static uint32_t heard(int watch) {
    char events[4096];
    uint32_t mask = 0;
    ssize_t n = read(watch, events, sizeof events);
    for (char *at = events; at < events + n;) {
        const struct inotify_event *e = (const struct inotify_event *)at;
        mask |= e->mask;
        at += sizeof *e + e->len;
    }
    return mask;
}

static void changes_are_heard_in_their_kinds(void) {
    set_up();
    int file = open("shared/src/f", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK(file >= 0 && write(file, "text", 4) == 4 && close(file) == 0, "file");
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    CHECK(inotify_add_watch(watch, "shared/src", IN_ALL_EVENTS & ~IN_OPEN) > 0, "watch");
    say("m f src f\n", "+");
    CHECK(heard(watch) == IN_MODIFY, "modify");
    say("a f src f\n", "+");
    CHECK(heard(watch) == IN_ATTRIB, "attributes");
    say("w f src f\n", "+");
    CHECK(heard(watch) == IN_CLOSE_WRITE, "close");
    say("maw f src f\n", "+");
    CHECK(heard(watch) == (IN_MODIFY | IN_ATTRIB | IN_CLOSE_WRITE), "all");
    CHECK(chmod("shared/src/f", 0755) == 0 && heard(watch) == IN_ATTRIB, "chmod");
    say("w f src f\n", "+");
    CHECK(heard(watch) == 0, "a program is not opened for writing");
    struct stat s;
    CHECK(stat("shared/src/f", &s) == 0 && s.st_size == 4, "size %d", (int)s.st_size);
    tear_down();
}

static void nothing_is_done_outside(void) {
    set_up();
    CHECK(mkdir("outside", 0755) == 0 && symlink("../outside", "shared/link") == 0, "outside");
    say("c f link x\n", "- c 40"); /* ELOOP */
    say("c f ../outside x\n", "- c 18"); /* EXDEV */
    say("c f /tmp x\n", "- c 18");
    say("c f src ../x\n", "- ? 22");
    say("c f src ..\n", "- ? 22");
    say("d d src .\n", "- ? 22");
    say("c f src %2E%2E%2Fx\n", "- ? 22");
    say("c f src x%00y\n", "- ? 22");
    say("c f src x%2\n", "- ? 22");
    say("m f . link\n", "+"); /* the link itself */
    expect_none("outside/x");
    expect_none("shared/x");
    tear_down();
}

static void nonsense_is_answered(void) {
    set_up();
    say("\n", "- ? 22");
    say("c\n", "- ? 22");
    say("c f src\n", "- ? 22");
    say("c f  x\n", "- ? 22");
    say("c f src x other\n", "- ? 22");
    say("c f src x other y z\n", "- ? 22");
    say("v f src x\n", "- v 22");
    say("?c f src x\n", "- ? 22");
    expect("shared/src/x", S_IFREG);
    char line[33000];
    memset(line, 'a', sizeof line);
    write_all(session, line, sizeof line);
    CHECK(ends(session), "end");
    tear_down();
}

static void many_at_once_are_answered_each(void) {
    set_up();
    static char lines[1000 * 16];
    size_t len = 0;
    for (int i = 0; i < 1000; i++) {
        len += (size_t)sprintf(lines + len, "c f src n%d\n", i);
    }
    write_all(session, lines, len);
    for (int i = 0; i < 1000; i++) {
        const char *got = read_line(session);
        CHECK(strcmp(got, "+") == 0, "%d '%s'", i, got);
    }
    expect("shared/src/n999", S_IFREG);
    tear_down();
}

static void without_shared_folders_it_is_said(void) {
    agent = start_serve();
    session = connect_to("4100");
    write_all(session, "fileevents\n", 11);
    const char *got = read_line(session);
    CHECK(strcmp(got, "err the host's folders are not mounted") == 0, "'%s'", got);
    CHECK(ends(session), "end");
    int other = connect_to("4100");
    write_all(other, "ping\n", 5);
    CHECK(strcmp(read_line(other), "ok " AGENT_VERSION) == 0, "the agent goes on");
    tear_down();
}

const struct test EVENTS_TESTS[] = {
    {"events: every_type_is_created_and_removed", every_type_is_created_and_removed},
    {"events: names_are_bytes", names_are_bytes},
    {"events: moves_are_one_call", moves_are_one_call},
    {"events: changes_are_heard_in_their_kinds", changes_are_heard_in_their_kinds},
    {"events: nothing_is_done_outside", nothing_is_done_outside},
    {"events: nonsense_is_answered", nonsense_is_answered},
    {"events: many_at_once_are_answered_each", many_at_once_are_answered_each},
    {"events: without_shared_folders_it_is_said", without_shared_folders_it_is_said},
    {NULL, NULL},
};
