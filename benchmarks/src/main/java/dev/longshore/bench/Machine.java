package dev.longshore.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * A virtual machine without disks, all of it in memory. Commands go in and results come out by a terminal of its own. One thread, beside
 * the one that collects what the terminal says.
 */
final class Machine implements AutoCloseable {
    static final String QEMU = "qemu-system-x86_64";

    private static final int BOOT_MS = 60_000;
    private static final int GRACE_MS = 10_000;
    private static final Pattern END = Pattern.compile("\n<end (\\d+)>\n");

    /** Behind what makes the machine ready: commands of the terminal, until it ends. {@code $?} says whether it is ready. */
    static final String LOOP = """
            s=$?
            grep -q console=ttyS1 /proc/cmdline && t=/dev/ttyS0 || t=/dev/tty1
            exec < $t > $t
            stty raw -echo
            printf '\\n<end %d>\\n' $s
            while read -r line; do
                eval "$line" < /dev/null 2> /tmp/err
                s=$?
                [ $s = 0 ] || cat /tmp/err
                printf '\\n<end %d>\\n' $s
            done
            reboot -f
            """;

    private final Process machine;
    private final OutputStream commands;
    private final StringBuilder said = new StringBuilder(); // guarded by itself

    private Machine(Process machine) {
        this.machine = machine;
        this.commands = machine.getOutputStream();
        Thread.ofVirtual().start(this::collect);
    }

    /**
     * User-mode Linux, and waits until its first process has come to {@link #LOOP}.
     *
     * @param dir of its own
     * @param device {@code SOCKET:NUMBER} of one behind a vhost-user socket that is listened on already: the machine connects once
     * @param log for the kernel's messages
     */
    static Machine uml(UmlKernel kernel, Path initrd, Path dir, String device, Path log) throws IOException {
        return boot(
                log,
                List.of(
                        kernel.program().toString(),
                        "mem=512M",
                        "initrd=" + initrd,
                        "virtio_uml.device=" + device,
                        "con=null",
                        "con0=null,fd:2",
                        "con1=fd:0,fd:1",
                        "noreboot",
                        "quiet",
                        "uml_dir=" + dir,
                        "umid=uml"));
    }

    /**
     * QEMU with an emulated processor, and waits as {@link #uml}.
     *
     * @param socket of a back end of vhost-user-fs
     */
    static Machine qemu(Path kernel, Path initrd, Path socket, String tag, Path log) throws IOException {
        return boot(
                log,
                List.of(
                        QEMU,
                        "-nodefaults",
                        "-no-user-config",
                        "-no-reboot",
                        "-display",
                        "none",
                        "-machine",
                        "q35,memory-backend=mem",
                        "-object",
                        "memory-backend-memfd,id=mem,share=on,size=512M",
                        "-accel",
                        "tcg",
                        "-cpu",
                        "max",
                        "-chardev",
                        "stdio,id=terminal,signal=off",
                        "-serial",
                        "chardev:terminal",
                        "-serial",
                        "file:" + log + ".kernel",
                        "-chardev",
                        "socket,id=fs,path=" + socket,
                        "-device",
                        "vhost-user-fs-pci,vectors=0,chardev=fs,queue-size=1024,tag=" + tag,
                        "-kernel",
                        kernel.toString(),
                        "-initrd",
                        initrd.toString(),
                        "-append",
                        "console=ttyS1 quiet panic=-1 no_timer_check mitigations=off random.trust_cpu=on"));
    }

    private static Machine boot(Path log, List<String> command) throws IOException {
        Machine booted = new Machine(new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
                .start());
        try {
            String _ = booted.awaitEnd(BOOT_MS, "boot");
            return booted;
        } catch (BenchException e) {
            booted.close();
            throw e;
        }
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

    /** Standard output of a command that ends well. */
    String run(int seconds, List<String> command) {
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

    long pid() {
        return machine.pid();
    }

    @Override
    public void close() {
        // It ignores the signal that asks.
        machine.descendants().forEach(ProcessHandle::destroyForcibly);
        machine.destroyForcibly();
    }
}
