package dev.longshore.bench;

import dev.longshore.vm.image.Initramfs;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A virtual machine of User-mode Linux as guest, with one card behind a vhost-user socket and the load programs in its memory. Commands
 * go in and results come out by a terminal of its own, so that the network under test carries nothing but the load. One thread,
 * beside the one that collects what the terminal says.
 */
final class UmlGuest implements Guest {
    private static final Pattern LIBRARY = Pattern.compile("(?:=> )?(/\\S+) \\(0x");

    private final Machine machine;
    private final Process stack;
    private final String target;

    private UmlGuest(Machine machine, Process stack, String target) {
        this.machine = machine;
        this.stack = stack;
        this.target = target;
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
            Machine machine = Machine.uml(kernel, initrd, dir, socket + ":1", log); // virtio's network card
            return new UmlGuest(machine, stack, target);
        } catch (BenchException e) {
            Commands.end(stack);
            throw e;
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
            grep -q 'mtu %1$d' /lease
            """.formatted(mtu) + Machine.LOOP;
    }

    static Path program(String name) {
        return Commands.find(name).orElseThrow(() -> new BenchException(name + " is not installed"));
    }

    @Override
    public String run(int seconds, List<String> command) {
        return machine.run(seconds, command);
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
        machine.close();
        Commands.end(stack);
    }
}
