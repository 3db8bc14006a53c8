package dev.longshore.fileshare.fuse;

import dev.longshore.fileshare.os.Stat;
import dev.longshore.fileshare.share.Credentials;
import dev.longshore.fileshare.share.HandleTable;
import dev.longshore.fileshare.share.Host;
import dev.longshore.fileshare.share.Node;
import dev.longshore.fileshare.share.NodeTable;
import dev.longshore.fileshare.share.OwnChanges;
import dev.longshore.fileshare.share.Owners;
import dev.longshore.fileshare.share.SharedFolders;
import dev.longshore.fileshare.share.VirtualDirectory;
import dev.longshore.fileshare.share.Withheld;

/** What the operations of one thread work with. Confined to that thread. */
final class Context {
    final NodeTable nodes;
    final HandleTable handles;
    final SharedFolders folders;
    final Withheld withheld;
    final Owners owners;
    final OwnChanges own;
    final CacheTimes times;
    final AccessTap tap;
    final Host host = new Host();
    final Buffers buffers;
    final Request request;
    final Credentials credentials = new Credentials(host.thread);

    Context(
            NodeTable nodes,
            HandleTable handles,
            SharedFolders folders,
            Withheld withheld,
            Owners owners,
            OwnChanges own,
            CacheTimes times,
            AccessTap tap,
            Buffers buffers) {
        this.buffers = buffers;
        this.request = new Request(buffers);
        this.nodes = nodes;
        this.handles = handles;
        this.folders = folders;
        this.withheld = withheld;
        this.owners = owners;
        this.own = own;
        this.times = times;
        this.tap = tap;
    }

    /** Writes {@code struct fuse_entry_out} of {@code node}, seen in {@code parent}; attributes are in {@code stat}. */
    void writeEntry(long at, Node parent, Node node, Stat stat) {
        boolean virtual = parent instanceof VirtualDirectory;
        attributesFor(node, stat);
        Attributes.writeEntry(
                request.body(),
                at,
                node.id(),
                virtual ? 0 : times.entry(), // what is shared may change at any time
                attributeNanos(node, stat),
                stat,
                submount(parent, node));
    }

    static int submount(Node parent, Node node) {
        boolean other = node.isDirectory() && node.dev() != parent.dev() && !(parent instanceof VirtualDirectory);
        return other && !(node instanceof VirtualDirectory) ? Attributes.SUBMOUNT : 0;
    }

    /** In a folder whose files seem to be everybody's own. */
    void attributesFor(Node node, Stat stat) {
        if (SharedFolders.isAccessor(node) && !Owners.hasOverride(node)) {
            stat.owner(request.uid(), request.gid());
        }
    }

    /**
     * For how long the guest may believe {@code stat}. Not at all if the file has set-id bits: Linux has us take them away with a write
     * past its page cache, and does not forget the mode that it knows (fs/fuse/file.c, fuse_direct_io).
     */
    long attributeNanos(Node node, Stat stat) {
        boolean setId = (stat.mode() & (Stat.S_ISUID | Stat.S_ISGID)) != 0 && node.isRegular();
        return setId || node instanceof VirtualDirectory || SharedFolders.isAccessor(node) ? 0 : times.attributes();
    }
}
