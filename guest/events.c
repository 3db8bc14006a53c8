/*
 * What somebody on the host did to shared files, for those who watch them in the guest (inotify). virtio-fs has no way to say it, so it
 * is done again here, below the guest's mount of the shared folders: the kernel tells watchers of every system call, whatever mount
 * they have the file by.
 *
 * Each call is made under a reserved group, one for each kind of change, which tells the file server that it has happened already: it answers
 * as if it had done it, and touches nothing on the host (dev.longshore.fileshare.fuse.HostEventOps). So without the group nothing is done.
 *
 * After `fileevents` and `ok`, a line for each file, of at most EVENT_LINE_BYTES:
 *
 *   <changes> <type> <directory> <name>[ <new directory> <new name>]
 *
 * changes: d gone, c created, v moved to the new name, m modified, a attributes changed, w closed after writing, in the order in which
 * they are to be heard. type: f file, d directory, l link, p FIFO, s socket. Directories begin below the mount point; bytes of names other than
 * printable ASCII, the blank and the percent sign are %XX. The answer is `+`, or `- <change> <errno>` for the first that was not heard. After
 * c and v nothing more is tried then: the file is elsewhere by now.
 */
#include "events.h"

#include "agent.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define EVENT_LINE_BYTES 32768
/* linux/magic.h */
#define FUSE_MAGIC 0x65735546
/* A directory that was opened longer ago is looked up anew. */
#define DIRECTORY_MS 500

/* HostEventOps. */
#define EVENT_GID 0xfffff000u
enum kind { CREATED, FILE_GONE, DIRECTORY_GONE, FILE_MOVED, DIRECTORY_MOVED, CHANGED, WRITTEN };

struct place {
    char *directory;
    char *name;
};

/* The directories opened last. */
struct opened {
    int fd;
    int64_t when;
    char path[4096];
};

static struct opened directories[2] = {{.fd = -1}, {.fd = -1}};
static int root = -1;

static void forget_directories(void) {
    for (size_t i = 0; i < 2; i++) {
        if (directories[i].fd >= 0) {
            close(directories[i].fd);
        }
        directories[i].fd = -1;
    }
}

/* Nobody's links are followed: what is done in the directory must be done in a shared folder. */
static int open_directory(const char *path, size_t slot) {
    struct opened *d = &directories[slot];
    int64_t now = now_ms();
    if (d->fd >= 0 && now - d->when < DIRECTORY_MS && strcmp(d->path, path) == 0) {
        return d->fd;
    }
    if (d->fd >= 0) {
        close(d->fd);
        d->fd = -1;
    }
    if (strlen(path) >= sizeof d->path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    if (fd < 0) {
        return -1;
    }
#ifndef AGENT_TEST
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0 || (unsigned)fs.f_type != FUSE_MAGIC) {
        close(fd);
        errno = EXDEV;
        return -1;
    }
#endif
    d->fd = fd;
    d->when = now;
    strcpy(d->path, path);
    return fd;
}

/* False if the group could not be had: then nothing must be done. */
static bool become(enum kind kind) {
    setfsgid(EVENT_GID + kind);
#ifndef AGENT_TEST /* which is not root, and does to its files what is said */
    if ((unsigned)setfsgid((gid_t)-1) != EVENT_GID + kind) {
        errno = EPERM;
        return false;
    }
#endif
    return true;
}

static int done(int result) {
    int error = result < 0 ? errno : 0;
    setfsgid(0);
    return error;
}

/*
 * Somebody may have looked the name up since it is gone, and the kernel believes for a second that there is nothing. It asks
 * again for what is to be made new, and finds then what there was: for the group's sake.
 */
static bool look_again(int error, enum kind kind, int dir, const char *name) {
#ifndef AGENT_TEST /* where it would be made */
    return error == ENOENT && become(kind) && done(mknodat(dir, name, S_IFREG | 0600, 0)) == EEXIST;
#else
    (void)kind, (void)dir, (void)name, (void)error;
    return false;
#endif
}

static int gone(int dir, const char *name, char type) {
    bool directory = type == 'd';
    enum kind kind = directory ? DIRECTORY_GONE : FILE_GONE;
    int error, tries = 0;
    do {
        error = become(kind) ? done(unlinkat(dir, name, directory ? AT_REMOVEDIR : 0)) : errno;
    } while (tries++ == 0 && look_again(error, kind, dir, name));
    if (directory) {
        forget_directories();
    }
    return error;
}

static int created(int dir, const char *name, char type) {
    if (!become(CREATED)) {
        return errno;
    }
    switch (type) {
        case 'd':
            return done(mkdirat(dir, name, 0700));
        case 'l':
            return done(symlinkat("host", dir, name));
        case 'p':
            return done(mknodat(dir, name, S_IFIFO | 0600, 0));
        case 's':
            return done(mknodat(dir, name, S_IFSOCK | 0600, 0));
        default:
            return done(mknodat(dir, name, S_IFREG | 0600, 0));
    }
}

static int moved(int from, const char *old, int to, const char *new, char type) {
    bool directory = type == 'd';
    enum kind kind = directory ? DIRECTORY_MOVED : FILE_MOVED;
    int error, tries = 0;
    do {
        error = become(kind) ? done(renameat(from, old, to, new)) : errno;
    } while (tries++ == 0 && look_again(error, kind, from, old));
    if (directory) {
        forget_directories();
    }
    return error;
}

/* Whoever hears of it may look at once: the kernel has the file's attributes and content anew before. */
static int open_file(int dir, const char *name, mode_t *mode) {
    int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct statx x;
    if (fd >= 0 && statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &x) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    *mode = fd < 0 ? 0 : x.stx_mode;
    return fd;
}

/* The kernel takes a new time of modification alone for a modification, and both times for attributes: fsnotify_change. */
static int changed(int fd, bool content) {
    struct timespec times[2] = {{.tv_nsec = content ? UTIME_OMIT : UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    return become(CHANGED) ? done(utimensat(fd, "", times, AT_EMPTY_PATH)) : errno;
}

/* Not programs: nobody can execute a file that is open for writing. */
static int written(int fd, mode_t mode) {
    if (!S_ISREG(mode) || (mode & 0111)) {
        return 0;
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (!become(WRITTEN)) {
        return errno;
    }
    int file = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    int error = done(file);
    if (file >= 0) {
        close(file);
    }
    return error;
}

/* One change; an errno, or 0. `fd` is the file once it is needed. */
static int replay(char change, char type, const struct place *from, const struct place *to, int *fd, mode_t *mode) {
    const struct place *now = to->name && change != 'd' && change != 'v' ? to : from;
    int dir = open_directory(now->directory, now == to);
    if (dir < 0) {
        return errno;
    }
    switch (change) {
        case 'd':
            return gone(dir, now->name, type);
        case 'c':
            return created(dir, now->name, type);
        case 'v': {
            int target = to->name ? open_directory(to->directory, 1) : -1;
            return target < 0 ? (to->name ? errno : EINVAL) : moved(dir, from->name, target, to->name, type);
        }
        case 'm':
        case 'a':
        case 'w':
            if (*fd < 0 && (*fd = open_file(dir, now->name, mode)) < 0) {
                return errno;
            }
            return change == 'w' ? written(*fd, *mode) : changed(*fd, change == 'm');
        default:
            return EINVAL;
    }
}

static int hex(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In its place; false if it is no text. */
static bool decode(char *text) {
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at != '%') {
            *to++ = *at;
            continue;
        }
        int high = hex(at[1]), low = high < 0 ? -1 : hex(at[2]);
        if (low < 0 || high * 16 + low == 0) {
            return false;
        }
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return true;
}

static bool take_place(char **words, struct place *p) {
    p->directory = strsep(words, " ");
    p->name = strsep(words, " ");
    return p->directory && p->name && decode(p->directory) && decode(p->name) && *p->directory && *p->name
        && !strchr(p->name, '/') && strcmp(p->name, ".") != 0 && strcmp(p->name, "..") != 0;
}

static void on_event(char *line, char *answer, size_t size) {
    char *words = line;
    const char *changes = strsep(&words, " "), *type = strsep(&words, " ");
    struct place from, to = {NULL, NULL};
    if (!type || !*type || !take_place(&words, &from) || (words && !take_place(&words, &to)) || words) {
        snprintf(answer, size, "- ? %d\n", EINVAL);
        return;
    }
    int fd = -1;
    mode_t mode = 0;
    snprintf(answer, size, "+\n");
    bool failed = false;
    for (; *changes; changes++) {
        int error = replay(*changes, *type, &from, &to, &fd, &mode);
        if (error && !failed) {
            snprintf(answer, size, "- %c %d\n", *changes >= 'a' && *changes <= 'z' ? *changes : '?', error);
            failed = true;
        }
        if (error && (*changes == 'c' || *changes == 'v')) {
            break;
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

static bool send_all(int stream, const char *text, size_t n) {
    while (n > 0) {
        ssize_t sent = send(stream, text, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        text += sent;
        n -= (size_t)sent;
    }
    return true;
}

/* The session, until the daemon ends it. */
static void run(int stream) {
    static char line[EVENT_LINE_BYTES], answers[4096];
    size_t len = 0, said = 0;
    if (!send_all(stream, "ok\n", 3)) {
        return;
    }
    for (;;) {
        if (len == sizeof line) {
            return;
        }
        ssize_t n = recv(stream, line + len, sizeof line - len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        len += (size_t)n;
        size_t at = 0;
        char *lf;
        while ((lf = memchr(line + at, '\n', len - at)) != NULL) {
            *lf = '\0';
            on_event(line + at, answers + said, sizeof answers - said);
            said += strlen(answers + said);
            at = (size_t)(lf - line) + 1;
            if (said > sizeof answers - 64 || !memchr(line + at, '\n', len - at)) {
                if (!send_all(stream, answers, said)) {
                    return;
                }
                said = 0;
            }
        }
        memmove(line, line + at, len - at);
        len -= at;
    }
}

int events_begin(int stream) {
    pid_t pid = fork();
    if (pid != 0) {
        return pid < 0 ? errno : 0;
    }
    dup2(stream, 3); /* neither relays nor the other sessions are to last as long as this */
    close_range(4, ~0U, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    int flags = fcntl(3, F_GETFL);
    fcntl(3, F_SETFL, flags & ~O_NONBLOCK);
    umask(0);
    root = open(host_shared_folders(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) {
        static const char none[] = "err the host's folders are not mounted\n";
        send_all(3, none, sizeof none - 1);
    } else {
        run(3);
    }
    shutdown(3, SHUT_RDWR);
    _exit(0);
}
