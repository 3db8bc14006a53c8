package dev.longshore.backend;

import dev.longshore.config.AddressPlan;
import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.Home;
import dev.longshore.config.Settings;
import dev.longshore.config.SubnetChoice;
import dev.longshore.config.VsockPorts;
import dev.longshore.control.Events;
import dev.longshore.control.Ports;
import dev.longshore.control.Status;
import dev.longshore.engine.EngineState;
import dev.longshore.engine.HostSocket;
import dev.longshore.engine.HostSocketProtocol;
import dev.longshore.engine.HostSockets;
import dev.longshore.engine.client.EngineClient;
import dev.longshore.engine.mounts.ContainerMounts;
import dev.longshore.engine.names.ContainerNames;
import dev.longshore.engine.ports.PortReconciler;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.PcapFile;
import dev.longshore.packet.link.PcapLink;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.portforward.BindPolicy;
import dev.longshore.portforward.GuestKey;
import dev.longshore.portforward.PublishProtocol;
import dev.longshore.proxy.system.SystemProxies;
import dev.longshore.virtio.net.NetConfig;
import dev.longshore.virtio.net.NetDevice;
import dev.longshore.virtio.net.NetDrop;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.vsock.VsockDevice;
import dev.longshore.virtio.vsock.VsockHost;
import dev.longshore.virtio.vsock.VsockLimits;
import dev.longshore.virtio.vsock.VsockListener;
import dev.longshore.vpnkit.NetworkConfig;
import io.netty.buffer.ByteBufAllocator;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One run of the guest: its parts, wired. The parts belong to the lifecycle thread; what others read is volatile.
 *
 * <p>The order is that of need: the devices listen before the guest boots, since User-mode Linux connects to them once and
 * never again; the network and the Docker socket are there before anybody asks for them.
 */
final class GuestRun implements GuestStack {
    private static final Logger LOG = LoggerFactory.getLogger(GuestRun.class);
    private static final Duration BOOT_LIMIT = Duration.ofMinutes(2);
    private static final Duration AGENT_LIMIT = Duration.ofSeconds(5);

    private final EffectiveSettings effective;
    private final Settings settings;
    private final LiveSettings live;
    private final SubnetChoice choice;
    private final GuestMachine machine;
    private final Consumer<Events.What> events;
    private final Meters meters;
    private final Path auditFile;
    private final Loops loops = new Loops();
    private final VsockHost vsock;
    private final AgentClient agent;
    private final GuestKey guestKey = GuestKey.random();
    private final EnginePart engine;
    private final EngineNews news;
    private final ContainerNames names;
    private volatile @Nullable HostNetworking hostNetworking; // written by the lifecycle thread, read by status
    private volatile @Nullable PortReconciler reconciler; // written by the lifecycle thread, read by the loops
    private volatile BindPolicy binding; // written as settings change, read by the engine's loop
    private final NetDevice card;
    private final VhostUserBackend cardSocket;
    private final VhostUserBackend vsockSocket;
    private volatile @Nullable GuestNetwork network; // written by the lifecycle thread, read by the control calls
    private final HostFiles files;
    private final HostSockets hostSockets = new HostSockets();
    private final MountedSockets mountedSockets;
    private volatile boolean agentReady;
    private volatile @Nullable EngineTrust trust; // written by the lifecycle thread, read as settings change
    private volatile List<Path> authorities; // written as settings change
    private Events.@Nullable Subscription obeying;
    private @Nullable VsockListener publishing;
    private @Nullable VsockListener lending;
    private @Nullable RunMeters runMeters;

    GuestRun(
            Home home,
            EffectiveSettings effective,
            Settings settings,
            SubnetChoice choice,
            GuestMachine machine,
            LiveSettings live,
            Consumer<Events.What> events,
            Meters meters) {
        this.effective = effective;
        this.settings = settings;
        this.live = live;
        this.choice = choice;
        this.machine = machine;
        this.events = events;
        this.meters = meters;
        this.authorities = settings.authorities();
        this.auditFile = home.proxyAudit();
        vsock = new VsockHost(loops.vsock(), VsockPorts.GUEST_CID, VsockLimits.DEFAULT);
        agent = new AgentClient(vsock, AGENT_LIMIT);
        binding = BindPolicy.of(settings.ports());
        files = new HostFiles(home, loops.files(), machine.takesConfig(), Capacity.ofProcess(settings.limits()), vsock);
        hostSockets.put(HostSockets.SSH_AUTH, this::sshAgent);
        mountedSockets = new MountedSockets(hostSockets, agent::socket, files.folders()::socket, home.mountedSockets());
        engine = new EnginePart(
                home.dockerSocket(),
                vsock,
                List.of(mountedSockets, files.events().watching(files.folders())),
                files.folders()::advice,
                () -> binding,
                this::onEngine);
        news = new EngineNews(agent::ping, events);
        names = new ContainerNames(engine.dialer());
        card = new NetDevice(
                loops.link(),
                new NetConfig(NetworkConfig.GUEST_MAC, settings.network().mtu(), machine.takesConfig()),
                ByteBufAllocator.DEFAULT);
        cardSocket = new VhostUserBackend(loops.link(), card, home.netSocket());
        vsockSocket = new VhostUserBackend(loops.vsock(), new VsockDevice(vsock), home.vsockSocket());
    }

    @Override
    public List<Part> parts() {
        return List.of(
                loops,
                machine.imagePart(),
                machine.diskPart(),
                new SimplePart("network", "Network " + choice.subnet(), _ -> openNetwork(), this::closeNetwork),
                new SimplePart("vsock", "", _ -> openVsock(), this::closeVsock),
                files.part(),
                new SimplePart("meters", "", _ -> addMeters(), this::removeMeters),
                engine.socketPart(),
                machine.processPart(agent),
                new SimplePart("agent", "Guest booted", _ -> awaitAgent(), this::forgetAgent),
                new ClockKeeper(loops.vsock(), agent),
                engine.readyPart(BOOT_LIMIT));
    }

    private void onEngine(EngineState state) {
        news.accept(state);
        PortReconciler following = reconciler;
        if (following != null) {
            following.onEngine(state);
        }
    }

    private void onPortsChanged() {
        PortReconciler following = reconciler;
        if (following != null) {
            following.onPortsChanged();
        }
    }

    private void openNetwork() throws Exception {
        SystemProxies system = SystemProxies.ofHost(); // not on the loop: it may run a program
        GuestNetwork opened = Futures.get(loops.link().submit(() -> {
            GuestNetwork made = new GuestNetwork(
                    settings,
                    link(),
                    loops.link(),
                    names,
                    system,
                    new AuditPart(auditFile),
                    events,
                    this::onPortsChanged);
            made.start();
            return made;
        }));
        network = opened;
        HostNetworking mirror = new HostNetworking(vsock, opened.ports(), opened.plan(), HostServices.ofHost(), events);
        hostNetworking = mirror;
        reconciler = new PortReconciler(
                engine.dialer(),
                opened.ports(),
                names,
                new ContainerMounts(new EngineClient(engine.dialer())::get, files.events()::mounted),
                opened.plan().guest(),
                text -> events.accept(new Events.Notice(text)),
                mirror::use);
        live.guestHas(effective);
        obeying = live.obey(this::obey);
        Futures.get(cardSocket.open());
    }

    private void obey(Settings now) {
        files.apply(now);
        binding = BindPolicy.of(now.ports());
        GuestNetwork open = network;
        if (open != null) {
            open.apply(now);
        }
        authorities = now.authorities();
        EngineTrust trusting = trust;
        if (trusting != null) {
            trusting.use(now.authorities());
        }
        HostNetworking mirror = hostNetworking;
        if (mirror != null) {
            mirror.enable(now.engine().hostNetworking());
        }
    }

    /** The card, recorded if the settings say so. On the loop. */
    private Link link() throws PartException {
        String file = settings.network().pcapFile();
        if (file.isEmpty()) {
            return card;
        }
        try {
            return new PcapLink(
                    card,
                    PcapFile.create(
                            Path.of(file),
                            NetDevice.MAX_FRAME_BYTES,
                            PcapFile::timeOfDayMicros,
                            e -> events.accept(
                                    new Events.Notice("network.pcapFile: recording ended: " + e.getMessage()))));
        } catch (IOException e) {
            throw new PartException("network.pcapFile: " + e.getMessage(), e);
        }
    }

    private void closeNetwork() {
        Events.Subscription open = obeying;
        obeying = null;
        if (open != null) {
            open.close();
        }
        live.guestEnded();
        PortReconciler following = reconciler;
        reconciler = null;
        if (following != null) {
            following.close();
        }
        HostNetworking mirror = hostNetworking;
        hostNetworking = null;
        if (mirror != null) {
            mirror.close();
        }
        GuestNetwork had = network;
        network = null;
        if (had != null) {
            had.close();
        }
        Futures.settle(cardSocket.close());
    }

    private void openVsock() throws Exception {
        PublishProtocol protocol =
                new PublishProtocol(Objects.requireNonNull(network, "network").ports(), guestKey);
        publishing = Futures.get(vsock.listen(VsockPorts.PORT_PUBLISH, protocol));
        lending = Futures.get(vsock.listen(VsockPorts.HOST_SOCKET, new HostSocketProtocol(hostSockets, guestKey)));
        Futures.get(vsockSocket.open());
    }

    private void closeVsock() {
        for (VsockListener listener : new VsockListener[] {publishing, lending}) {
            if (listener != null) {
                listener.close();
            }
        }
        mountedSockets.close();
        Futures.settle(vsockSocket.close());
    }

    private void addMeters() {
        RunMeters made = new RunMeters(meters, Objects.requireNonNull(network, "network"));
        made.card(card.counters(), cardSocket);
        made.vsock(vsock.counters(), vsockSocket);
        files.addTo(made);
        runMeters = made;
    }

    private void removeMeters() {
        RunMeters made = runMeters;
        if (made != null) {
            made.close();
        }
    }

    private void awaitAgent() throws PartException, InterruptedException {
        String _ = Polling.until(BOOT_LIMIT, "the guest's agent", () -> agent.key(guestKey));
        agentReady = true;
        agent.socket(HostSockets.SSH_AUTH, "ssh-auth.sock").whenComplete((ok, error) -> {
            if (error != null) {
                events.accept(new Events.Notice("no SSH agent in containers: " + error.getMessage()));
            }
        });
        CompletionStage<Void> _ = mountedSockets.restore();
        EngineTrust made = new EngineTrust(
                new EngineRestart(agent, engine, news, () -> Objects.requireNonNull(network, "network")
                        .ports()),
                this::trust,
                events);
        trust = made;
        made.use(authorities); // before the Engine has made its first TLS connection: it does not look again
    }

    private void trust(List<Path> authorities) {
        GuestNetwork open = network;
        if (open != null) {
            open.trust(authorities);
        }
    }

    private void forgetAgent() {
        agentReady = false;
        EngineTrust open = trust;
        trust = null;
        if (open != null) {
            open.close();
        }
    }

    /** The agent of whoever started this daemon: it is the only one whose keys we may use. */
    private Optional<HostSocket> sshAgent() {
        String path = System.getenv("SSH_AUTH_SOCK");
        if (path == null || path.isEmpty()) {
            return Optional.empty();
        }
        Optional<HostSocket> found = files.folders().socket(Path.of(path));
        if (found.isEmpty() && Files.exists(Path.of(path))) {
            LOG.warn(
                    "the SSH agent's socket {} is reached by a link in a shared folder, which a container could have made:"
                            + " start longshore with SSH_AUTH_SOCK set to what it leads to",
                    path);
        }
        return found;
    }

    @Override
    public Status.Guest guest() {
        return machine.status(agentReady);
    }

    @Override
    public Status.Engine engine() {
        return engine.status();
    }

    @Override
    public Status.Network network() {
        AddressPlan plan = settings.network().plan();
        GuestNetwork open = network;
        return new Status.Network(
                choice.subnet().toString(),
                choice.moved(),
                plan.gateway().getHostAddress(),
                plan.guest().getHostAddress(),
                plan.dns().getHostAddress(),
                plan.host().getHostAddress(),
                settings.network().mtu(),
                agentReady,
                open == null ? 0 : open.dropped() + cardDrops(),
                portProblems(),
                open == null ? "" : open.proxies().summary(),
                open == null ? List.of() : open.proxies().problems());
    }

    private List<String> portProblems() {
        PortReconciler following = reconciler;
        HostNetworking mirror = hostNetworking;
        return Stream.concat(
                        following == null ? Stream.of() : following.problems().stream(),
                        mirror == null ? Stream.of() : mirror.problems().stream())
                .toList();
    }

    private long cardDrops() {
        long sum = 0;
        for (NetDrop reason : NetDrop.values()) {
            sum += card.counters().drops(reason);
        }
        return sum;
    }

    @Override
    public @Nullable NetworkView view() {
        GuestNetwork open = network;
        return open == null ? null : open.view();
    }

    @Override
    public @Nullable DnsView dns() {
        GuestNetwork open = network;
        return open == null ? null : open.dns();
    }

    @Override
    public @Nullable PolicyView policy() {
        GuestNetwork open = network;
        return open == null ? null : open.policy();
    }

    @Override
    public @Nullable ProxyView proxies() {
        GuestNetwork open = network;
        return open == null ? null : open.proxies();
    }

    @Override
    public @Nullable FilesView files() {
        return files.view(engine.dialer());
    }

    @Override
    public Ports ports() {
        GuestNetwork open = network;
        if (open == null) {
            throw new IllegalStateException("ports are asked for while the guest runs");
        }
        return new PublishedPorts(
                open.ports(), IpAddress.of(settings.network().plan().guest()));
    }
}
