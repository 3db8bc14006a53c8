package dev.longshore.bench;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * User-mode Linux with a network card over vhost-user, its root a directory of the host, read-only. Programs run by the shell
 * that is its first process, on the console: each answer lies between two marks. One thread.
 */
final class UmlGuest implements Guest {
    private static final String MOUNT = "/mnt";
    private static final int BOOT_SECONDS = 60;

    private final Process machine;
    private final Process stack;
    private final Path console;
    private final OutputStream keyboard;
    private final String target;
    private int marks;
    private long read;

    /** @param kernel a program of this host; {@code socket} listens already; {@code address}/24 is the guest's. */
    UmlGuest(
            Lab lab,
            Path kernel,
            Path root,
            Process stack,
            Path socket,
            String address,
            String gateway,
            int mtu,
            String target) {
        this.stack = stack;
        this.target = target;
        this.console = lab.dir().resolve("uml-" + stack.pid() + ".console");
        List<String> command = List.of(
                "unshare",
                "--pid",
                "--fork",
                "--kill-child=KILL",
                kernel.toString(),
                "mem=512M",
                "rootfstype=hostfs",
                "rootflags=" + root,
                "ro",
                "init=/bin/sh",
                "virtio_uml.device=" + socket + ":1",
                "con=null",
                "con0=fd:0,fd:1",
                "quiet",
                "panic=1",
                "uml_dir=" + lab.dir(),
                "umid=" + stack.pid());
        try {
            machine = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(console.toFile())
                    .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        keyboard = machine.getOutputStream();
        shell(
                BOOT_SECONDS,
                "stty -echo; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp;"
                        + " M=/usr/lib/uml/modules/$(uname -r)/kernel; insmod $M/net/core/failover.ko;"
                        + " insmod $M/drivers/net/net_failover.ko; insmod $M/drivers/net/virtio_net.ko;"
                        + " ip link set lo up; ip link set eth0 mtu " + mtu + " up; ip addr add " + address
                        + "/24 dev eth0;"
                        + " ip route add default via " + gateway
                        + "; mount -t hostfs none " + MOUNT + " -o hostfs=" + lab.dir());
    }

    private String shell(int seconds, String line) {
        String begin = "<<begin" + ++marks + ">>";
        String end = "<<end" + marks + " ";
        // The marks are put together by the guest's shell, so that its echo of the line holds none.
        type("echo '<<'begin" + marks + "'>>'; " + line + "; echo '<<'end" + marks + " $? '>>'\n");
        Waiting.until(seconds * 1000, "answer of the guest (" + tail() + ")", () -> fresh().contains(end));
        String text = fresh();
        read += text.length();
        String answer = text.substring(text.indexOf(begin) + begin.length(), text.indexOf(end));
        String status = text.substring(text.indexOf(end) + end.length()).split(" ", 2)[0];
        if (!status.equals("0")) {
            throw new BenchException("in the guest, exit status " + status + ": " + line + "\n" + answer);
        }
        return answer;
    }

    private void type(String line) {
        try {
            keyboard.write(line.getBytes(StandardCharsets.UTF_8));
            keyboard.flush();
        } catch (IOException e) {
            throw new BenchException("the guest is gone: " + tail());
        }
    }

    /** Console output is ASCII: characters are bytes. */
    private String fresh() {
        try {
            String all = Files.readString(console, StandardCharsets.ISO_8859_1);
            return all.substring((int) Math.min(read, all.length()));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String tail() {
        String text = fresh();
        return text.substring(Math.max(0, text.length() - 300)).strip();
    }

    @Override
    public String run(int seconds, List<String> command) {
        return shell(seconds, String.join(" ", command));
    }

    @Override
    public String target() {
        return target;
    }

    @Override
    public String netload() {
        return MOUNT + "/netload";
    }

    @Override
    public Long stack() {
        return stack.pid();
    }

    @Override
    public @Nullable Process hold(List<String> command) {
        return null;
    }

    @Override
    public void close() {
        machine.destroyForcibly();
        Commands.end(machine);
        Commands.end(stack);
    }
}
