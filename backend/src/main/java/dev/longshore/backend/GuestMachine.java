package dev.longshore.backend;

import dev.longshore.config.Home;
import dev.longshore.config.Settings;
import dev.longshore.control.Status;
import dev.longshore.vm.image.GuestImage;
import dev.longshore.vm.image.HostTools;
import dev.longshore.vm.image.ImageBuilder;
import dev.longshore.vm.image.ImageException;
import dev.longshore.vm.image.ImageRecipe;
import dev.longshore.vm.machine.BootSectorProbe;
import dev.longshore.vm.machine.DataDisk;
import dev.longshore.vm.machine.GuestProcess;
import dev.longshore.vm.machine.Machine;
import dev.longshore.vm.machine.MachineChooser;
import dev.longshore.vm.machine.MachineException;
import dev.longshore.vm.machine.MachineExit;
import dev.longshore.vm.machine.MachineSpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The guest as a process: image, data disk, start, end. Confined to the lifecycle thread, except {@link #status}, which
 * reads what is volatile.
 */
final class GuestMachine {
    private static final Logger LOG = LoggerFactory.getLogger(GuestMachine.class);

    /** dockerd stops its containers in 10 s, then the disk is unmounted. */
    private static final Duration POWER_OFF_LIMIT = Duration.ofSeconds(30);

    private final Home home;
    private final Settings settings;
    private final HostTools tools;
    private final Machine machine;
    private final GuestStack.Ended ended;
    private final AtomicBoolean stopping = new AtomicBoolean();
    private @Nullable GuestImage image;
    private boolean growDisk;
    private volatile @Nullable GuestProcess process; // written by the lifecycle thread, read by status
    private volatile @Nullable Instant started;

    private GuestMachine(Home home, Settings settings, HostTools tools, Machine machine, GuestStack.Ended ended) {
        this.home = home;
        this.settings = settings;
        this.tools = tools;
        this.machine = machine;
        this.ended = ended;
    }

    /** Chooses what the guest runs on, as the settings say and the host allows. */
    static GuestMachine choose(Home home, Settings settings, GuestStack.Ended ended)
            throws PartException, InterruptedException {
        HostTools tools = HostTools.of(System.getenv());
        int cpus = Runtime.getRuntime().availableProcessors();
        try {
            Machine machine = new MachineChooser(tools, new BootSectorProbe(home.cache(), tools), cpus)
                    .choose(settings.vm().kind());
            return new GuestMachine(home, settings, tools, machine, ended);
        } catch (MachineException e) {
            throw new PartException(String.valueOf(e.getMessage()), e);
        }
    }

    /** True if the front end takes its configuration from our device: User-mode Linux does, QEMU has its own. */
    boolean takesConfig() {
        return machine.kind().equals("uml");
    }

    Part imagePart() {
        return new SimplePart("image", "Guest image", this::prepareImage, () -> {});
    }

    private void prepareImage(Part.Progress progress) throws PartException, InterruptedException {
        ImageRecipe recipe = ImageRecipe.bundled(machine.kernel());
        try {
            image = new ImageBuilder(home.cache(), recipe, tools, progress::say).ensure();
        } catch (ImageException e) {
            throw new PartException(String.valueOf(e.getMessage()), e);
        }
    }

    Part diskPart() {
        return new SimplePart("disk", "Data disk", this::prepareDisk, () -> {});
    }

    private void prepareDisk(Part.Progress progress) throws PartException, InterruptedException {
        try {
            growDisk = new DataDisk(home.dataDisk()).prepare(settings.vm().diskSizeMiB(), tools);
        } catch (MachineException e) {
            throw new PartException(String.valueOf(e.getMessage()), e);
        }
    }

    /** @param agent asked to power off at the stop */
    Part processPart(AgentClient agent) {
        return new SimplePart("guest", "Guest started: " + machine.description(), _ -> boot(), () -> powerOff(agent));
    }

    private void boot() throws PartException, InterruptedException {
        MachineSpec spec = new MachineSpec(Objects.requireNonNull(image, "image"), home, settings, growDisk);
        try {
            GuestProcess guest = GuestProcess.start(machine, spec, tools);
            started = Instant.now();
            process = guest;
            guest.exit().thenAccept(this::onExit);
        } catch (MachineException e) {
            throw new PartException(String.valueOf(e.getMessage()), e);
        }
    }

    private void onExit(MachineExit exit) {
        LOG.info("{}", exit.describe());
        if (!stopping.get()) {
            ended.onEnd(exit.describe());
        }
    }

    private void powerOff(AgentClient agent) throws Exception {
        stopping.set(true);
        GuestProcess guest = process;
        if (guest != null) {
            CompletableFuture<MachineExit> exit = guest.stop(agent::powerOff, POWER_OFF_LIMIT);
            MachineExit end = Futures.get(exit, POWER_OFF_LIMIT.plusSeconds(10));
            LOG.info("{}", end.describe());
            process = null;
        }
    }

    /** User-mode Linux has one; QEMU by default as many as the host. */
    private int cpus() {
        if (machine.kind().equals("uml")) {
            return 1;
        }
        return settings.vm().cpus() > 0
                ? settings.vm().cpus()
                : Runtime.getRuntime().availableProcessors();
    }

    Status.Guest status(boolean agentReady) {
        GuestProcess guest = process;
        return new Status.Guest(
                machine.kind(),
                guest == null ? 0 : guest.pid(),
                guest == null ? null : started,
                cpus(),
                settings.vm().memoryMiB(),
                agentReady);
    }
}
