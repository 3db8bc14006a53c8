/*
 * Load on a file system: fileload KIND DIRECTORY MIB DIRECTORIES, by itself and one operation after the other. Prints the microseconds that it took.
 *
 *   create   DIRECTORY/t with DIRECTORIES directories of 100 files of 1 KiB
 *   find     reads all of its directories
 *   stat     the same, and asks what each entry is
 *   read     opens each file and reads it
 *   remove   removes everything
 *   write    DIRECTORY/big, MIB of 1 MiB each at once
 *   stream   reads it
 *   random   reads 4 KiB of it, 20,000 times, past the cache of whoever mounts it ("direct") or not ("plain")
 *   sync     overwrites 4 KiB of it and waits for the disk, 500 times
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILES = 100, SMALL = 1024, RANDOM = 20000, SYNCS = 500, BLOCK = 4096 };

static char *block; /* 1 MiB, aligned for O_DIRECT */
static long mib, directories;

static void fail(const char *what) {
    fprintf(stderr, "fileload: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int must(int result, const char *what) {
    if (result < 0) {
        fail(what);
    }
    return result;
}

static void path_of(char *path, int d, int f) {
    f < 0 ? sprintf(path, "t/%d", d) : sprintf(path, "t/%d/%d", d, f);
}

static void create(void) {
    char path[64];
    must(mkdir("t", 0755), "mkdir t");
    for (int d = 0; d < directories; d++) {
        path_of(path, d, -1);
        must(mkdir(path, 0755), path);
        for (int f = 0; f < FILES; f++) {
            path_of(path, d, f);
            int fd = must(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644), path);
            if (write(fd, block, SMALL) != SMALL) {
                fail(path);
            }
            must(close(fd), path);
        }
    }
}

static void read_all(void) {
    char path[64];
    for (int d = 0; d < directories; d++) {
        for (int f = 0; f < FILES; f++) {
            path_of(path, d, f);
            int fd = must(open(path, O_RDONLY), path);
            if (read(fd, block, BLOCK) != SMALL) {
                fail(path);
            }
            close(fd);
        }
    }
}

/* Of the descriptor of a directory, which it closes. */
static long walk(int fd, int asks) {
    long found = 0;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        fail("fdopendir");
    }
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) {
            continue;
        }
        struct stat s;
        if (asks) {
            must(fstatat(dirfd(dir), e->d_name, &s, AT_SYMLINK_NOFOLLOW), e->d_name);
        }
        found += 1;
        if (e->d_type == DT_DIR) {
            found += walk(must(openat(dirfd(dir), e->d_name, O_RDONLY | O_DIRECTORY), e->d_name), asks);
        }
    }
    closedir(dir);
    return found;
}

static void walk_all(int asks) {
    long found = walk(must(open("t", O_RDONLY | O_DIRECTORY), "t"), asks);
    if (found != directories * (FILES + 1L)) {
        fprintf(stderr, "fileload: %ld entries\n", found);
        exit(1);
    }
}

static void remove_all(void) {
    char path[64];
    for (int d = 0; d < directories; d++) {
        for (int f = 0; f < FILES; f++) {
            path_of(path, d, f);
            must(unlink(path), path);
        }
        path_of(path, d, -1);
        must(rmdir(path), path);
    }
    must(rmdir("t"), "t");
}

static void stream(int flags, int writes) {
    int fd = must(open("big", flags, 0644), "big");
    for (long i = 0; i < mib; i++) {
        if ((writes ? write(fd, block, 1 << 20) : read(fd, block, 1 << 20)) != 1 << 20) {
            fail("big");
        }
    }
    must(close(fd), "big");
}

static long any_block(void) {
    return random() % (mib * 256) * BLOCK;
}

static void random_reads(int flags) {
    int fd = must(open("big", O_RDONLY | flags), "big");
    for (int i = 0; i < RANDOM; i++) {
        if (pread(fd, block, BLOCK, any_block()) != BLOCK) {
            fail("big");
        }
    }
}

static void syncs(void) {
    int fd = must(open("big", O_WRONLY), "big");
    for (int i = 0; i < SYNCS; i++) {
        if (pwrite(fd, block, BLOCK, any_block()) != BLOCK) {
            fail("big");
        }
        must(fdatasync(fd), "big");
    }
}

static void run(const char *kind) {
    if (strcmp(kind, "create") == 0) {
        create();
    } else if (strcmp(kind, "find") == 0) {
        walk_all(0);
    } else if (strcmp(kind, "stat") == 0) {
        walk_all(1);
    } else if (strcmp(kind, "read") == 0) {
        read_all();
    } else if (strcmp(kind, "remove") == 0) {
        remove_all();
    } else if (strcmp(kind, "write") == 0) {
        stream(O_WRONLY | O_CREAT | O_TRUNC, 1);
    } else if (strcmp(kind, "stream") == 0) {
        stream(O_RDONLY, 0);
    } else if (strcmp(kind, "direct") == 0) {
        random_reads(O_DIRECT);
    } else if (strcmp(kind, "plain") == 0) {
        random_reads(0);
    } else if (strcmp(kind, "sync") == 0) {
        syncs();
    } else {
        fprintf(stderr, "fileload: what is %s?\n", kind);
        exit(2);
    }
}

int main(int argc, char **argv) {
    if (argc != 5 || (mib = atol(argv[3])) <= 0 || (directories = atol(argv[4])) <= 0) {
        fprintf(stderr, "usage: fileload KIND DIRECTORY MIB\n");
        return 2;
    }
    if (posix_memalign((void **)&block, BLOCK, 1 << 20)) {
        fail("memory");
    }
    memset(block, 'x', 1 << 20);
    must(chdir(argv[2]), argv[2]);
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    run(argv[1]);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%ld\n", (end.tv_sec - begin.tv_sec) * 1000000L + (end.tv_nsec - begin.tv_nsec) / 1000);
    return 0;
}
