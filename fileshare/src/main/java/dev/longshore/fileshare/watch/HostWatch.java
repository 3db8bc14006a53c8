package dev.longshore.fileshare.watch;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_SHORT_UNALIGNED;

import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.os.Inotify;
import dev.longshore.fileshare.os.Open;
import dev.longshore.fileshare.os.Posix;
import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.OwnChanges;
import dev.longshore.fileshare.watch.FileChange.Place;
import dev.longshore.linux.Errno;
import io.netty.util.collection.IntObjectHashMap;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Watches folders of the host with all that is below them, and tells the guest what somebody on the host does there. On a thread of its own, to
 * which all but the public methods is confined; those are thread-safe.
 *
 * <h2>Theory of operation</h2>
 *
 * There is one watch of inotify for each directory. Links are not followed, and what is withheld from guests is not watched. A new directory is
 * watched before the guest is told of it, so whoever looks into it on hearing that misses nothing.
 *
 * <p>Left out is what nobody can hear: what happens in directories that the guest does not know, since it has never looked there; and what
 * the guest did itself by way of the file server ({@link OwnChanges}).
 *
 * <p>A change waits for some milliseconds, so that those of one file are told at once. What is told is what holds then: a file is looked at before.
 * {@link #WINDOW} lines may be unanswered, and {@link Pace} leaves the guest most of its time.
 */
public final class HostWatch implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(HostWatch.class);

    private static final int MASK = Inotify.IN_MODIFY
            | Inotify.IN_ATTRIB
            | Inotify.IN_CLOSE_WRITE
            | Inotify.IN_MOVED_FROM
            | Inotify.IN_MOVED_TO
            | Inotify.IN_CREATE
            | Inotify.IN_DELETE
            | Inotify.IN_ONLYDIR
            | Inotify.IN_EXCL_UNLINK;

    /** Lines that the agent has not answered: its work of some milliseconds. */
    static final int WINDOW = 8;

    /** Watches of this user's that this may take: half of them, and about 100 MB of the kernel's memory. */
    private static final int MOST_DIRECTORIES = 100_000;

    private static final Path WATCHES = Path.of("/proc/sys/fs/inotify/max_user_watches");
    private static final int DIRECTORY_FLAGS = Open.O_RDONLY | Open.O_DIRECTORY | Open.O_NOFOLLOW | Open.O_CLOEXEC;
    private static final int GATHER_MILLIS = 4;
    private static final int READ_BYTES = 1 << 16;
    private static final int DT_DIR = 4;
    private static final int DT_UNKNOWN = 0;
    private static final int DIRENT_NAME = 19; // struct linux_dirent64: ino 0, off 8, reclen 16, type 18, name 19

    private final FuseServer server;
    private final OwnChanges own;
    private final EventSink sink;
    private final int most;
    private final Set<String> withheld = new HashSet<>();
    private final Set<String> withheldNames = new HashSet<>();

    private final Inotify inotify = new Inotify();
    private final Posix posix = new Posix();
    private final Stat stat = new Stat();
    private final MemorySegment events = Arena.ofAuto().allocate(READ_BYTES, 8);
    private final MemorySegment entries = Arena.ofAuto().allocate(READ_BYTES, 8);
    private final IntObjectHashMap<WatchedDirectory> directories = new IntObjectHashMap<>();
    private final List<WatchedDirectory> roots = new ArrayList<>();
    private final ChangeQueue queue = new ChangeQueue();
    private Set<Path> sources = Set.of();
    private int tooMany;
    private boolean saidTooMany;
    private boolean saidLost;

    // Half of a move, until the other half comes.
    private @Nullable WatchedDirectory movedFrom;
    private String movedName = "";
    private int movedCookie;
    private boolean movedDirectory;

    private final Pace pace = new Pace(System.nanoTime());
    private final AtomicLong told = new AtomicLong();
    private final AtomicLong unheard = new AtomicLong();
    private long ownEvents;
    private long lost;
    private volatile WatchFigures figures = WatchFigures.NONE; // written by the thread
    private volatile @Nullable Set<Path> wanted; // what the thread has not seen yet
    private volatile boolean heard; // whether there is anybody who hears
    private volatile boolean ended;

    /**
     * Watches nothing yet.
     *
     * @param withheld directories that are not watched, besides those that the server withholds
     * @throws IOException if there is no inotify to be had
     */
    public HostWatch(FuseServer server, Collection<Path> withheld, EventSink sink) throws IOException {
        this(server, withheld, sink, mostOfThisUser());
    }

    HostWatch(FuseServer server, Collection<Path> withheld, EventSink sink, int most) throws IOException {
        this.server = server;
        this.own = server.ownChanges();
        this.sink = sink;
        this.most = most;
        for (Path p : withheld) {
            this.withheld.add(text(p));
            withheldNames.add(text(p.getFileName()));
        }
        int r = inotify.open();
        if (r < 0) {
            inotify.close();
            throw new IOException("inotify: " + Errno.text(-r));
        }
        own.want(true);
        Thread thread = new Thread(this::run, "host-watch");
        thread.setDaemon(true);
        thread.start();
    }

    /** In one read: the kernel gives nothing from any other place of that file. */
    private static int mostOfThisUser() {
        try {
            return Math.min(
                    MOST_DIRECTORIES,
                    Integer.parseInt(Files.readAllLines(WATCHES).getFirst().trim()) / 2);
        } catch (IOException | NumberFormatException | NoSuchElementException e) {
            return 4096; // half of Linux' least
        }
    }

    // ---- for all threads

    /** From now on these are watched, with all below them, and no others: absolute, without links. */
    public void watch(Set<Path> folders) {
        wanted = Set.copyOf(folders);
        inotify.wake();
    }

    /** A session has begun, or is over; what was sent in the one before is not answered any more. */
    public void session(boolean open) {
        heard = open;
        pace.forget(System.nanoTime());
        inotify.wake();
    }

    /** The agent has answered the oldest line. */
    public void answered(boolean made) {
        (made ? told : unheard).incrementAndGet();
        int left = pace.answered(System.nanoTime());
        if (left == WINDOW / 2 || left == 0) {
            inotify.wake();
        }
    }

    public WatchFigures figures() {
        WatchFigures f = figures;
        return new WatchFigures(
                f.directories(), f.unwatched(), told.get(), unheard.get(), f.own(), f.dropped(), f.lost(), f.waiting());
    }

    /** Nothing more is told; the thread ends soon, when the host's file system lets it. Does not wait. */
    @Override
    public void close() {
        own.want(false);
        ended = true;
        inotify.wake();
    }

    // ---- the thread

    private void run() {
        try {
            while (!ended) {
                inotify.await(patience());
                if (ended) {
                    break;
                }
                Set<Path> now = wanted;
                if (now != null) {
                    wanted = null;
                    sources = now;
                    become(now);
                }
                gather();
                tell();
                publish();
            }
        } catch (RuntimeException | InterruptedException e) {
            LOG.error("changes of the host's files are no longer told to the guest", e);
        } finally {
            inotify.close();
            posix.close();
        }
    }

    /** Milliseconds after which something may be told, if nothing else happens; -1 for ever. */
    private int patience() {
        if (!heard || queue.isEmpty() || pace.unanswered() > 0) {
            return -1; // an answer will come
        }
        return (int) (pace.pause(System.nanoTime()) / 1_000_000) + 1;
    }

    /** What happens within some milliseconds is taken together. */
    private void gather() throws InterruptedException {
        if (!readAll()) {
            return;
        }
        do {
            Thread.sleep(GATHER_MILLIS);
            tell(); // not what has just come alone: in a storm this goes on
        } while (!ended && wanted == null && readAll() && !queue.isStorm()); // a file may be written to for ever
        settleMove();
    }

    private boolean readAll() {
        boolean some = false;
        int n;
        while ((n = inotify.read(events)) > 0) {
            some = true;
            take(n);
        }
        return some;
    }

    private void publish() {
        figures = new WatchFigures(directories.size(), tooMany, 0, 0, ownEvents, queue.dropped(), lost, queue.size());
    }

    // ---- which directories

    private void become(Set<Path> now) {
        Map<String, Set<String>> wantedNow = wanted(now);
        tooMany = 0;
        for (WatchedDirectory root : List.copyOf(roots)) {
            if (Objects.equals(wantedNow.get(root.name), root.only == null ? Set.of() : root.only) && isStill(root)) {
                wantedNow.remove(root.name);
            } else {
                roots.remove(root);
                unwatch(root);
            }
        }
        wantedNow.forEach(this::watchRoot);
        sayTooMany();
        LOG.debug("{} directories below {} are watched", directories.size(), now);
        publish();
    }

    /** Directories to watch with all below them, the names in them being none; and directories of mounted files. */
    private Map<String, Set<String>> wanted(Set<Path> now) {
        Map<String, Set<String>> all = new TreeMap<>();
        Set<Path> folders = new HashSet<>();
        for (Path p : now) {
            if (look(text(p)) && stat.isDirectory()) {
                folders.add(p);
            }
        }
        for (Path p : folders) {
            if (folders.stream().noneMatch(other -> !other.equals(p) && p.startsWith(other))) {
                all.put(text(p), Set.of());
            }
        }
        for (Path p : now) {
            Path parent = p.getParent();
            if (parent != null && !folders.contains(p) && folders.stream().noneMatch(p::startsWith)) {
                all.computeIfAbsent(text(parent), _ -> new HashSet<>()).add(text(p.getFileName()));
            }
        }
        return all;
    }

    private void watchRoot(String path, Set<String> only) {
        int fd = open(path);
        if (fd < 0) {
            LOG.debug("{} is not watched: {}", path, Errno.text(-fd));
            return;
        }
        WatchedDirectory root;
        if (only.isEmpty()) {
            root = watch(fd, null, path);
        } else {
            root = watchOne(fd, null, path);
            posix.close(fd);
            if (root != null) {
                root.only = only;
            }
        }
        if (root != null) {
            roots.add(root);
        }
    }

    private boolean isStill(WatchedDirectory root) {
        return look(root.name) && stat.ino() == root.ino && stat.dev() == root.dev;
    }

    /** A directory, without following links; or a negated errno. */
    private int open(String path) {
        return path.length() >= Posix.MAX_PATH_BYTES
                ? -Errno.ENAMETOOLONG
                : posix.openWithoutLinks(posix.name(bytes(path)), DIRECTORY_FLAGS);
    }

    /** Fills {@link #stat}; false if there is nothing, or a link on the way, which a guest may have put there: it leads anywhere. */
    private boolean look(String path) {
        int fd = path.length() >= Posix.MAX_PATH_BYTES
                ? -Errno.ENAMETOOLONG
                : posix.openWithoutLinks(posix.name(bytes(path)), Open.O_PATH | Open.O_NOFOLLOW | Open.O_CLOEXEC);
        if (fd < 0) {
            return false;
        }
        int r = posix.statx(fd, stat);
        posix.close(fd);
        return r == 0;
    }

    private void sayTooMany() {
        if (tooMany > 0 && !saidTooMany) {
            saidTooMany = true;
            LOG.warn(
                    "{} directories of mounted folders are not watched, since this user may have no more watches:"
                            + " containers do not hear of changes there; raise fs.inotify.max_user_watches",
                    tooMany);
        }
    }

    /** Watches the directory that is open as {@code fd}, closing it, and what is below; nearest first, so that a bound cuts off what is deep. */
    private @Nullable WatchedDirectory watch(int fd, @Nullable WatchedDirectory parent, String name) {
        WatchedDirectory top = watchOne(fd, parent, name);
        if (top == null) {
            posix.close(fd);
            return null;
        }
        ArrayDeque<WatchedDirectory> left = new ArrayDeque<>();
        descend(fd, top, left);
        posix.close(fd);
        WatchedDirectory d;
        while ((d = left.poll()) != null) {
            int at = open(d.path());
            if (at >= 0) {
                descend(at, d, left);
                posix.close(at);
            }
        }
        return top;
    }

    /** Null if it can't be, or need not. */
    private @Nullable WatchedDirectory watchOne(int fd, @Nullable WatchedDirectory parent, String name) {
        if (posix.statx(fd, stat) < 0 || server.withholds(stat)) {
            return null;
        }
        String last = name.substring(name.lastIndexOf('/') + 1);
        if (withheldNames.contains(last) && withheld.contains(parent == null ? name : parent.path() + "/" + name)) {
            return null;
        }
        if (directories.size() >= most) {
            tooMany++;
            return null;
        }
        int wd = inotify.add(posix.otherName(("/proc/self/fd/" + fd).getBytes(StandardCharsets.US_ASCII)), MASK);
        if (wd == -Errno.ENOSPC) {
            tooMany++;
        }
        if (wd < 0 || directories.containsKey(wd)) { // it is mounted twice: the first place counts
            return null;
        }
        WatchedDirectory d = new WatchedDirectory(wd, stat.dev(), stat.ino(), parent, name);
        directories.put(wd, d);
        return d;
    }

    /** Watches the directories in the one that is open as {@code fd}. */
    private void descend(int fd, WatchedDirectory directory, ArrayDeque<WatchedDirectory> into) {
        List<String> names = new ArrayList<>();
        int n;
        while ((n = posix.getdents(fd, entries, READ_BYTES)) > 0) {
            for (int at = 0; at < n; at += entries.get(JAVA_SHORT_UNALIGNED, at + 16L) & 0xFFFF) {
                int type = entries.get(JAVA_BYTE, at + 18L);
                if (type == DT_DIR || type == DT_UNKNOWN) {
                    String name = text(entries, at + DIRENT_NAME, n - at - DIRENT_NAME);
                    if (!name.equals(".") && !name.equals("..")) {
                        names.add(name);
                    }
                }
            }
        }
        for (String name : names) {
            WatchedDirectory child = watchChild(fd, directory, name);
            if (child != null) {
                into.add(child);
            }
        }
    }

    private @Nullable WatchedDirectory watchChild(int fd, WatchedDirectory parent, String name) {
        int child = posix.openBeneath(fd, posix.name(bytes(name)), DIRECTORY_FLAGS, 0);
        if (child < 0) {
            return null;
        }
        WatchedDirectory made = watchOne(child, parent, name);
        posix.close(child);
        return made;
    }

    /** A directory has come to be in a watched one. */
    private void watchNew(WatchedDirectory parent, String name) {
        int fd = open(parent.path() + "/" + name);
        if (fd >= 0) {
            WatchedDirectory _ = watch(fd, parent, name);
            sayTooMany();
        }
    }

    private void unwatch(WatchedDirectory top) {
        top.leave();
        ArrayDeque<WatchedDirectory> all = new ArrayDeque<>(List.of(top));
        WatchedDirectory d;
        while ((d = all.poll()) != null) {
            WatchedDirectory child;
            while ((child = d.firstChild()) != null) {
                child.leave();
                all.add(child);
            }
            directories.remove(d.wd);
            int _ = inotify.remove(d.wd);
        }
    }

    // ---- what happens

    /** {@code struct inotify_event}: wd 0, mask 4, cookie 8, len 12, name. */
    private void take(int bytes) {
        for (int at = 0; at + Inotify.EVENT_BYTES <= bytes; ) {
            int mask = events.get(JAVA_INT_UNALIGNED, at + 4L);
            int length = events.get(JAVA_INT_UNALIGNED, at + 12L);
            int wd = events.get(JAVA_INT_UNALIGNED, at);
            int cookie = events.get(JAVA_INT_UNALIGNED, at + 8L);
            if ((mask & Inotify.IN_Q_OVERFLOW) != 0) {
                onLost();
            } else if ((mask & Inotify.IN_IGNORED) != 0) {
                onIgnored(wd);
            } else if (length > 0) {
                WatchedDirectory d = directories.get(wd);
                if (d != null) {
                    on(d, text(events, at + Inotify.EVENT_BYTES, length), mask, cookie);
                }
            }
            at += Inotify.EVENT_BYTES + length;
        }
    }

    /** The directory is gone. */
    private void onIgnored(int wd) {
        WatchedDirectory d = directories.get(wd);
        if (d != null) {
            roots.remove(d);
            unwatch(d);
        }
    }

    /** Some directories may have come meanwhile. Whoever watches in the guest is not told: there is no event for that. */
    private void onLost() {
        lost++;
        own.forgetNames();
        if (!saidLost) {
            saidLost = true;
            LOG.warn("so much happened in mounted folders at once that containers did not hear of all of it");
        }
        List.copyOf(roots).forEach(this::unwatch);
        roots.clear();
        become(sources);
    }

    private void on(WatchedDirectory d, String name, int mask, int cookie) {
        boolean directory = (mask & Inotify.IN_ISDIR) != 0;
        if (d.only != null && (directory || !d.only.contains(name))) {
            return;
        }
        if (movedFrom != null && (mask & Inotify.IN_MOVED_TO) == 0) {
            settleMove();
        }
        if ((mask & Inotify.IN_MOVED_FROM) != 0) {
            movedFrom = d;
            movedName = name;
            movedCookie = cookie;
            movedDirectory = directory;
            return;
        }
        if ((mask & Inotify.IN_MOVED_TO) != 0) {
            onMovedTo(d, name, cookie, directory);
            return;
        }
        if ((mask & Inotify.IN_CREATE) != 0) {
            if (directory) {
                watchNew(d, name);
            }
            if (isTold(d, name, OwnChanges.Name.CREATED)) {
                queue.created(new Place(d.path(), name));
            }
        } else if ((mask & Inotify.IN_DELETE) != 0) {
            if (isTold(d, name, OwnChanges.Name.GONE)) {
                queue.gone(new Place(d.path(), name), directory);
            }
        } else if (isKnown(d)) {
            int what = ((mask & Inotify.IN_MODIFY) != 0 ? FileChange.MODIFIED : 0)
                    | ((mask & Inotify.IN_ATTRIB) != 0 ? FileChange.ATTRIBUTES : 0)
                    | ((mask & Inotify.IN_CLOSE_WRITE) != 0 ? FileChange.WRITTEN : 0);
            if (what != 0) {
                queue.changed(new Place(d.path(), name), what);
            }
        }
    }

    /** True if it was not the guest, and somebody in the guest may hear it. */
    private boolean isTold(WatchedDirectory d, String name, OwnChanges.Name what) {
        if (own.take(d.dev, d.ino, bytes(name), what)) {
            ownEvents++;
            return false;
        }
        return isKnown(d);
    }

    private boolean isKnown(WatchedDirectory d) {
        return d.parent == null || server.knows(d.dev, d.ino);
    }

    private void onMovedTo(WatchedDirectory to, String name, int cookie, boolean directory) {
        WatchedDirectory from = movedFrom;
        if (from == null || cookie != movedCookie) {
            settleMove();
            if (directory) {
                watchNew(to, name);
            }
            if (isTold(to, name, OwnChanges.Name.MOVED_TO)) {
                queue.created(new Place(to.path(), name));
            }
            return;
        }
        movedFrom = null;
        boolean toldFrom = isTold(from, movedName, OwnChanges.Name.MOVED_FROM);
        boolean toldTo = isTold(to, name, OwnChanges.Name.MOVED_TO);
        Place before = new Place(from.path(), movedName);
        Place after = new Place(to.path(), name);
        if (toldFrom && toldTo) {
            queue.moved(before, after, directory);
        } else if (toldFrom) {
            queue.gone(before, directory);
        } else if (toldTo) {
            queue.created(after);
        }
        if (directory) {
            moveWatches(from, movedName, to, name);
        }
    }

    private void moveWatches(WatchedDirectory from, String oldName, WatchedDirectory to, String name) {
        WatchedDirectory replaced = to.child(name);
        if (replaced != null) {
            unwatch(replaced);
        }
        WatchedDirectory moved = from.child(oldName);
        if (moved == null) {
            watchNew(to, name);
        } else {
            moved.leave();
            moved.join(to, name);
        }
    }

    /** The other half has not come: it has left what is watched. */
    private void settleMove() {
        WatchedDirectory from = movedFrom;
        if (from == null) {
            return;
        }
        movedFrom = null;
        if (isTold(from, movedName, OwnChanges.Name.MOVED_FROM)) {
            queue.gone(new Place(from.path(), movedName), movedDirectory);
        }
        if (movedDirectory) {
            WatchedDirectory gone = from.child(movedName);
            if (gone != null) {
                unwatch(gone);
            }
        }
    }

    // ---- what is told

    private void tell() {
        if (!heard) {
            queue.clear();
            return;
        }
        while (!queue.isEmpty() && pace.unanswered() < WINDOW && pace.pause(System.nanoTime()) == 0) {
            boolean storm = queue.isStorm();
            FileChange change = queue.poll();
            String line = change == null ? null : line(change, storm);
            if (line != null) {
                pace.sent(System.nanoTime());
                sink.send(line);
            }
        }
    }

    /** Null if there is nothing to tell. In a storm each file's most important change has to do. */
    private @Nullable String line(FileChange c, boolean storm) {
        boolean there = look(c.place.path());
        Place from = c.from;
        if (!there) {
            Place gone = from != null ? from : c.place;
            return from == null && (c.isNew || !c.has(FileChange.GONE))
                    ? null
                    : words("d", c.directory ? 'd' : 'f', gone, null);
        }
        StringBuilder changes = new StringBuilder();
        if (from != null) {
            changes.append('v');
        } else {
            changes.append(c.has(FileChange.GONE) ? "d" : "").append(c.has(FileChange.CREATED) ? "c" : "");
        }
        boolean echo = own.wasLast(stat.dev(), stat.ino(), stat.ctime());
        if (echo && c.has(FileChange.MODIFIED | FileChange.ATTRIBUTES | FileChange.WRITTEN)) {
            ownEvents++;
        } else if (!storm || changes.isEmpty()) {
            changes.append(c.has(FileChange.MODIFIED) ? "m" : "")
                    .append(c.has(FileChange.ATTRIBUTES) && !(storm && c.has(FileChange.MODIFIED)) ? "a" : "")
                    .append(c.has(FileChange.WRITTEN) && !(storm && c.has(FileChange.MODIFIED)) ? "w" : "");
        }
        if (changes.isEmpty()) {
            return null;
        }
        return from == null
                ? words(changes.toString(), type(stat.type()), c.place, null)
                : words(changes.toString(), type(stat.type()), from, c.place);
    }

    private static char type(int type) {
        return switch (type) {
            case Stat.S_IFDIR -> 'd';
            case Stat.S_IFLNK -> 'l';
            case Stat.S_IFIFO -> 'p';
            case Stat.S_IFSOCK -> 's';
            default -> 'f';
        };
    }

    /** A line of {@code guest/events.c}. */
    static String words(String changes, char type, Place at, @Nullable Place to) {
        StringBuilder line = new StringBuilder(changes).append(' ').append(type);
        append(line, at);
        if (to != null) {
            append(line, to);
        }
        return line.toString();
    }

    private static void append(StringBuilder line, Place place) {
        append(line.append(' '), place.directory(), 1); // directories begin below the mount point
        append(line.append(' '), place.name(), 0);
    }

    private static void append(StringBuilder line, String text, int from) {
        for (int i = from; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c > ' ' && c < 0x7F && c != '%') {
                line.append(c);
            } else {
                line.append('%').append("0123456789ABCDEF".charAt(c >> 4)).append("0123456789ABCDEF".charAt(c & 15));
            }
        }
    }

    // ---- names: bytes as characters

    private static String text(@Nullable Path path) {
        return new String(String.valueOf(path).getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    private static String text(MemorySegment m, int at, int most) {
        int n = 0;
        while (n < most && m.get(JAVA_BYTE, (long) at + n) != 0) {
            n++;
        }
        return new String(m.asSlice(at, n).toArray(JAVA_BYTE), StandardCharsets.ISO_8859_1);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }
}
