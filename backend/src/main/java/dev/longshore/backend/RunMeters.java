package dev.longshore.backend;

import dev.longshore.control.FilesControl;
import dev.longshore.fileshare.fuse.FuseServer;
import dev.longshore.fileshare.virtiofs.OpcodeNames;
import dev.longshore.fileshare.virtiofs.VirtioFsCounters;
import dev.longshore.fileshare.virtiofs.VirtioFsDevice;
import dev.longshore.link.LinkCounter;
import dev.longshore.link.LinkCounters;
import dev.longshore.portforward.PortSnapshot;
import dev.longshore.virtio.net.NetCounters;
import dev.longshore.virtio.net.NetDrop;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import dev.longshore.virtio.virtqueue.QueueCounters;
import dev.longshore.virtio.vsock.VsockCounter;
import dev.longshore.virtio.vsock.VsockCounters;
import dev.longshore.vpnkit.count.Counters;
import io.micrometer.core.instrument.Tags;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/** The counters of one run's parts as meters. The part belongs to the lifecycle thread. */
final class RunMeters {
    private static final long PORTS_MILLIS = 500;

    private final Meters.Group group;
    private final GuestNetwork network;
    private final ContainerMeters containers;
    private final Map<String, Long> readings = new ConcurrentHashMap<>();
    private volatile List<PortSnapshot> ports = List.of();

    RunMeters(Meters meters, GuestNetwork network) {
        this.network = network;
        containers = new ContainerMeters(meters, network::accounts);
        group = meters.group(this::refresh);
        refresh();
        stack();
        group.gauge("portforward.ports.bound", "Ports bound on the host.", Tags.empty(), () -> ports.size());
        group.gauge(
                "portforward.connections.active",
                "Connections and UDP flows of published ports.",
                Tags.empty(),
                () -> ports.stream().mapToLong(PortSnapshot::active).sum());
    }

    /** The stack's own, read all at once before each scrape. */
    private void stack() {
        for (Counters.Reading r : network.readings()) {
            String key = r.metric() + "{" + r.tags() + "}";
            if (r.metric().endsWith(".active")) {
                group.gauge(r.metric(), r.help(), tags(r.tags()), () -> readings.getOrDefault(key, 0L));
            } else {
                group.counter(r.metric(), r.help(), tags(r.tags()), () -> readings.getOrDefault(key, 0L));
            }
        }
    }

    private void refresh() {
        containers.refresh();
        network.readings().forEach(r -> readings.put(r.metric() + "{" + r.tags() + "}", r.value()));
        try {
            ports = network.ports().list().get(PORTS_MILLIS, TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            ports = List.of(); // the network has just stopped
        }
    }

    void card(NetCounters c, VhostUserBackend backend) {
        count("virtio.net.frames", "direction=fromGuest", "Frames given to the stack.", c::framesFromGuest);
        count("virtio.net.frames", "direction=toGuest", "Frames put into the guest's buffers.", c::framesToGuest);
        count("virtio.net.bytes", "direction=fromGuest", "Bytes of the frames given to the stack.", c::bytesFromGuest);
        count("virtio.net.bytes", "direction=toGuest", "Bytes of the frames given to the guest.", c::bytesToGuest);
        count("virtio.net.blocked", "", "Times that the guest had no room for a frame.", c::blocked);
        for (NetDrop reason : NetDrop.values()) {
            String word = reason.name().toLowerCase(Locale.ROOT);
            count("virtio.net.frames.dropped", "reason=" + word, reason.help(), () -> c.drops(reason));
        }
        for (int i = 0; i < backend.queueCount(); i += 2) {
            String pair = i == 0 ? "" : String.valueOf(i / 2);
            queue(backend, i, "net.receiveq" + pair);
            queue(backend, i + 1, "net.transmitq" + pair);
        }
    }

    void vsock(VsockCounters c, VhostUserBackend backend) {
        for (VsockCounter counter : VsockCounter.values()) {
            count(counter.metric(), counter.tags(), counter.help(), () -> c.get(counter));
        }
        queue(backend, 0, "vsock.receiveq");
        queue(backend, 1, "vsock.transmitq");
    }

    void files(FuseServer server, VirtioFsDevice device, VhostUserBackend backend) {
        VirtioFsCounters c = device.counters();
        for (int i = 0; i < VirtioFsCounters.OPCODES; i++) {
            int opcode = i;
            String name = OpcodeNames.of(opcode);
            if (!name.isEmpty()) {
                count("fileshare.requests", "opcode=" + name, "Requests answered.", () -> c.requests(opcode));
            }
        }
        count("fileshare.errors", "", "Requests that the host refused or failed to do.", c::errors);
        count("fileshare.bytes", "direction=toGuest", "Bytes of the host's files that were read.", c::bytesRead);
        count(
                "fileshare.bytes",
                "direction=fromGuest",
                "Bytes that were written to the host's files.",
                c::bytesWritten);
        count("fileshare.requests.handled", "where=loop", "Requests handled where they came in.", c::inline);
        count("fileshare.requests.handled", "where=workers", "Requests handed to threads.", c::pooled);
        count("fileshare.requests.handled", "where=slow", "Requests handed to those that wait for disks.", c::slow);
        count("fileshare.requests.malformed", "", "Chains that were no requests.", c::malformed);
        count("fileshare.requests.abandoned", "", "Requests whose guest left before the answer.", c::abandoned);
        count("fileshare.stalls", "", "Times that as many requests were under way as may be.", c::stalls);
        group.gauge("fileshare.nodes", "Files and folders that the guest remembers.", Tags.empty(), server::nodeCount);
        group.gauge("fileshare.descriptors", "Descriptors of the host's files.", Tags.empty(), server::descriptorCount);
        group.gauge("fileshare.requests.active", "Requests with threads now.", Tags.empty(), device::underWay);
        queue(backend, 0, "fs.hiprio");
        queue(backend, 1, "fs.requests");
    }

    void fileEvents(Supplier<FilesControl.Events> events) {
        group.gauge("fileshare.events.directories", "Directories watched for changes.", Tags.empty(), () -> events.get()
                .directories());
        group.gauge(
                "fileshare.events.unwatched",
                "Directories that there were no watches for.",
                Tags.empty(),
                () -> events.get().unwatched());
        group.gauge(
                "fileshare.events.waiting",
                "Changes that are to be told to the guest.",
                Tags.empty(),
                () -> events.get().waiting());
        count("fileshare.events", "end=told", "Changes of the host's files.", () -> events.get()
                .told());
        count("fileshare.events", "end=unheard", "Changes of the host's files.", () -> events.get()
                .unheard());
        count("fileshare.events", "end=own", "Changes of the host's files.", () -> events.get()
                .own());
        count("fileshare.events", "end=dropped", "Changes of the host's files.", () -> events.get()
                .dropped());
        count("fileshare.events.lost", "", "Times that the kernel had no room for changes.", () -> events.get()
                .lost());
    }

    void link(LinkCounters c) {
        for (LinkCounter counter : LinkCounter.values()) {
            count(counter.metric(), counter.tags(), counter.help(), () -> c.get(counter));
        }
    }

    private void queue(VhostUserBackend backend, int index, String name) {
        QueueCounters c = backend.queue(index).counters();
        count("virtio.queue.kicks", "queue=" + name, "Kicks from the guest.", c::kicks);
        count("virtio.queue.calls", "queue=" + name, "Interrupts sent to the guest.", c::calls);
        count("virtio.queue.chains", "queue=" + name, "Buffers taken from the guest.", c::chains);
        count("virtio.queue.faults", "queue=" + name, "Times the guest broke the ring.", c::faults);
    }

    private void count(String name, String tags, String help, LongSupplier value) {
        group.counter(name, help, tags(tags), value::getAsLong);
    }

    /** From {@code layer=tcp,reason=header}. */
    private static Tags tags(String text) {
        Tags tags = Tags.empty();
        for (String pair : text.isEmpty() ? new String[0] : text.split(",", -1)) {
            int equals = pair.indexOf('=');
            tags = tags.and(pair.substring(0, equals), pair.substring(equals + 1));
        }
        return tags;
    }

    void close() {
        group.close();
        containers.close();
    }
}
