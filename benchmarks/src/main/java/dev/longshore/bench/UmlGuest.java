package dev.longshore.bench;

import dev.longshore.vm.image.Initramfs;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A virtual machine of User-mode Linux as guest, with one card behind a vhost-user socket and the load programs in its memory. Commands
 * go in and results come out by a terminal of its own, so that the network under test carries nothing but the load. One thread,
 * beside the one that collects what the terminal says.
 */
final class UmlGuest implements Guest {
    private static final int BOOT_MS = 60_000;
    private static final int GRACE_MS = 10_000;
    private static final Pattern LIBRARY = Pattern.compile("(?:=> )?(/\\S+) \\(0x");
    private static final Pattern END = Pattern.compile("\n<end (\\d+)>\n");

    private final Process machine;
    private final Process stack;
    private final String target;
    private final OutputStream commands;
    private final StringBuilder said = new StringBuilder(); // guarded by itself

    private UmlGuest(Process machine, Process stack, String target) {
        this.machine = machine;
        this.stack = stack;
        this.target = target;
        this.commands = machine.getOutputStream();
        Thread.ofVirtual().start(this::collect);
    }

    /**
     * Starts the machine and waits until it has an address.
     *
     * @param socket where the stack listens already: the machine connects once
     * @param stack ended by {@link #close}, and here if the machine does not come up
     * @param log for the kernel's messages
     */
    static UmlGuest boot(Lab lab, UmlKernel kernel, Path socket, int mtu, Process stack, String target, Path log) {
        try {
            Path dir = Files.createDirectories(lab.dir().resolve(socket.getFileName() + ".uml"));
            Path initrd = dir.resolve("initrd");
            files(lab, kernel, mtu).writeTo(initrd);
            Process machine = new ProcessBuilder(
                            kernel.program().toString(),
                            "mem=512M",
                            "initrd=" + initrd,
                            "virtio_uml.device=" + socket + ":1", // 1 is virtio's number of network cards
                            "con=null",
                            "con0=null,fd:2",
                            "con1=fd:0,fd:1",
                            "noreboot",
                            "quiet",
                            "uml_dir=" + dir,
                            "umid=uml")
                    .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                    .start();
            UmlGuest guest = new UmlGuest(machine, stack, target);
            try {
                guest.awaitEnd(BOOT_MS, "boot");
                return guest;
            } catch (BenchException e) {
                guest.close();
                throw e;
            }
        } catch (IOException e) {
            Commands.end(stack);
            throw new UncheckedIOException(e);
        }
    }

    private static Initramfs files(Lab lab, UmlKernel kernel, int mtu) throws IOException {
        Initramfs made = new Initramfs()
                .directory("proc")
                .directory("sys")
                .directory("tmp")
                .directory("dev")
                .file("bin/busybox", Files.readAllBytes(program("busybox")))
                .file("bin/netload", Files.readAllBytes(lab.netload()))
                .file("init", init(mtu).getBytes(StandardCharsets.UTF_8));
        for (Path module : kernel.modules()) {
            made.file(String.valueOf(module.getFileName()), Files.readAllBytes(module));
        }
        Path iperf = program("iperf3");
        made.file("bin/iperf3", Files.readAllBytes(iperf));
        Matcher libraries = LIBRARY.matcher(Commands.run(10, "ldd", iperf.toString()));
        while (libraries.find()) {
            made.file(libraries.group(1).substring(1), Files.readAllBytes(Path.of(libraries.group(1))));
        }
        return made;
    }

    /** The first process: a lease whose MTU is another one than {@code mtu} is a failure. */
    private static String init(int mtu) {
        return """
            #!/bin/busybox sh
            /bin/busybox --install -s /bin
            export PATH=/bin:/usr/bin
            mount -t proc proc /proc
            mount -t sysfs sysfs /sys
            mount -t devtmpfs devtmpfs /dev
            mount -t tmpfs tmpfs /tmp
            for m in failover net_failover virtio_net; do insmod /$m.ko; done
            ip link set lo up
            echo 1 > /proc/sys/net/ipv4/tcp_tw_reuse
            echo '1024 65000' > /proc/sys/net/ipv4/ip_local_port_range
            cat > /dhcp <<'END'
            #!/bin/sh
            [ "$1" = bound ] || exit 0
            ip link set $interface mtu %1$d
            ip addr add $ip/24 dev $interface && ip route add default via $router dev $interface && echo "leased $ip mtu $mtu"
            END
            chmod +x /dhcp
            ip link set eth0 up
            udhcpc -i eth0 -n -q -t 10 -T 1 -O mtu -s /dhcp > /lease
            cat /lease
            exec < /dev/tty1 > /dev/tty1
            stty raw -echo
            grep -q 'mtu %1$d' /lease; printf '\\n<end %%d>\\n' $?
            while read -r line; do
                eval "$line" < /dev/null 2> /tmp/err
                s=$?
                [ $s = 0 ] || cat /tmp/err
                printf '\\n<end %%d>\\n' $s
            done
            reboot -f
            """.formatted(mtu);
    }

    private static Path program(String name) {
        return Commands.find(name).orElseThrow(() -> new BenchException(name + " is not installed"));
    }

    private void collect() {
        byte[] some = new byte[8192];
        try (InputStream in = machine.getInputStream()) {
            for (int n = in.read(some); n >= 0; n = in.read(some)) {
                synchronized (said) {
                    said.append(new String(some, 0, n, StandardCharsets.ISO_8859_1));
                }
            }
        } catch (IOException e) {
            // The machine is being ended.
        }
    }

    @Override
    public String run(int seconds, List<String> command) {
        List<String> words = new ArrayList<>(List.of("timeout", "-s", "KILL", Integer.toString(seconds)));
        words.addAll(command);
        String line =
                words.stream().map(w -> "'" + w.replace("'", "'\\''") + "'").collect(Collectors.joining(" "));
        synchronized (said) {
            said.setLength(0);
        }
        try {
            commands.write((line + "\n").getBytes(StandardCharsets.UTF_8));
            commands.flush();
        } catch (IOException e) {
            throw new BenchException("the guest has ended: " + e.getMessage());
        }
        return awaitEnd(seconds * 1000 + GRACE_MS, String.join(" ", command));
    }

    /** What was said up to the end of a command. */
    private String awaitEnd(int milliseconds, String what) {
        String[] text = new String[1];
        Waiting.until(milliseconds, "end of " + what, () -> {
            synchronized (said) {
                Matcher end = END.matcher(said);
                if (end.find()) {
                    text[0] = said.substring(0, end.start());
                    if (!end.group(1).equals("0")) {
                        throw new BenchException(what + ": exit status " + end.group(1) + "\n" + text[0]);
                    }
                    return true;
                }
            }
            if (!machine.isAlive()) {
                throw new BenchException("the guest has ended");
            }
            return false;
        });
        return text[0];
    }

    @Override
    public String target() {
        return target;
    }

    @Override
    public String netload() {
        return "/bin/netload";
    }

    @Override
    public Long stack() {
        return stack.pid();
    }

    @Override
    public Long machine() {
        return machine.pid();
    }

    /** Null: the terminal has room for one program. */
    @Override
    public @Nullable Process hold(List<String> command) {
        return null;
    }

    @Override
    public void close() {
        // It ignores the signal that asks.
        machine.descendants().forEach(ProcessHandle::destroyForcibly);
        machine.destroyForcibly();
        Commands.end(stack);
    }
}
