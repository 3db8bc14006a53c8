package dev.longshore.vm.machine;

import dev.longshore.config.Home;
import dev.longshore.config.Settings;
import dev.longshore.vm.image.GuestImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a guest is made of, whichever machine runs it. Immutable.
 *
 * @param home of this instance: sockets, data disk, console log
 * @param growDisk the data disk is larger than its file system
 */
public record MachineSpec(GuestImage image, Home home, Settings settings, boolean growDisk) {
    /** Of the file system with the host's shared folders: the image's scripts mount it by this name. */
    public static final String FILES_TAG = "host";

    /** Words of the kernel's command line that the image's scripts read; the same for all machines. */
    List<String> kernelWords(String rootDevice, String dataDevice) {
        Settings.Network network = settings.network();
        List<String> words = new ArrayList<>(List.of(
                "root=" + rootDevice,
                "ro",
                "init=/usr/sbin/longshore-init",
                "longshore_data=" + dataDevice,
                "longshore_subnet=" + network.subnet(),
                "longshore_host_gateway=" + network.plan().host().getHostAddress(),
                "quiet",
                "panic=1"));
        if (growDisk) {
            words.add("longshore_grow=1");
        }
        if (settings.engine().containerdSnapshotter()) {
            words.add("longshore_containerd_store=1");
        }
        return words;
    }

    /** Throws if a path can't be passed to a machine. */
    void check() throws MachineException {
        for (Path path : List.of(image.directory(), home.state(), home.run())) {
            if (isAmbiguous(path.toString())) {
                throw new MachineException("the path " + path + " has a blank or one of , : = \" in it, or a character"
                        + " outside ASCII, which a virtual machine's options do not allow: set LONGSHORE_HOME or"
                        + " LONGSHORE_CACHE to another directory");
            }
        }
    }

    /** True with a character that a kernel's command line or a disk option would take for a separator. */
    private static boolean isAmbiguous(String path) {
        return path.chars().anyMatch(c -> c <= ' ' || c == ',' || c == ':' || c == '"' || c == '=' || c > '~');
    }
}
