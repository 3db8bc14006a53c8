package dev.longshore.virtio.net;

import dev.longshore.packet.link.FrameSink;
import dev.longshore.packet.link.Link;
import dev.longshore.packet.link.OutFrame;
import dev.longshore.virtio.vhostuser.VhostUserBackend;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.IoEventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import java.nio.file.Path;

/**
 * The smallest host there is: answers ARP for every address, ICMP echo, and sends UDP back to where it came from. To see a
 * real guest's card work without the network stack. Confined to the link's event loop.
 *
 * <p>Run with the socket's path: {@code EchoHost /run/net.sock}, then start a guest with
 * {@code virtio_uml.device=/run/net.sock:1}.
 */
final class EchoHost implements FrameSink {
    private static final long OUR_MAC = 0x024c53000001L;
    private static final int ETHERTYPE_AT = 12;
    private static final int IP_AT = 14;

    private final Link link;
    private final OutFrame out = new OutFrame(PooledByteBufAllocator.DEFAULT.directBuffer(256));

    EchoHost(Link link) {
        this.link = link;
    }

    @Override
    public void onFrame(ByteBuf frame, int offload) {
        int at = frame.readerIndex();
        int bytes = frame.readableBytes();
        switch (frame.getUnsignedShort(at + ETHERTYPE_AT)) {
            case 0x0806 -> answerArp(frame, at, bytes);
            case 0x0800 -> answerIpv4(frame, at, bytes);
            default -> {}
        }
    }

    private void answerArp(ByteBuf f, int at, int bytes) {
        if (bytes < 42 || f.getShort(at + 20) != 1) {
            return;
        }
        ByteBuf head = out.clear().head();
        head.writeBytes(f, at + 6, 6);
        writeMac(head);
        head.writeBytes(f, at + 12, 8).writeShort(2);
        writeMac(head);
        head.writeBytes(f, at + 38, 4).writeBytes(f, at + 22, 10);
        link.send(out);
    }

    /** Swaps the addresses, which changes no checksum; an echo request's checksum changes with its type. */
    private void answerIpv4(ByteBuf f, int at, int bytes) {
        if (bytes < IP_AT + 28 || f.getByte(at + IP_AT) != 0x45) {
            return;
        }
        int l4 = at + IP_AT + 20;
        int protocol = f.getByte(at + IP_AT + 9);
        boolean echo = protocol == 1 && f.getByte(l4) == 8;
        if (!echo && protocol != 17) {
            return;
        }
        ByteBuf head = out.clear().head();
        head.writeBytes(f, at + 6, 6);
        writeMac(head);
        head.writeBytes(f, at + 12, 14).writeBytes(f, at + IP_AT + 16, 4).writeBytes(f, at + IP_AT + 12, 4);
        int end = at + IP_AT + f.getUnsignedShort(at + IP_AT + 2);
        if (end > at + bytes) {
            return;
        }
        if (echo) {
            int sum = f.getUnsignedShort(l4 + 2) + 0x0800;
            head.writeShort(0).writeShort((sum & 0xFFFF) + (sum >>> 16));
            out.addPayload(f, l4 + 4, end - l4 - 4);
        } else {
            head.writeBytes(f, l4 + 2, 2)
                    .writeBytes(f, l4, 2)
                    .writeBytes(f, l4 + 4, 2)
                    .writeShort(0);
            out.addPayload(f, l4 + 8, end - l4 - 8);
        }
        link.send(out);
    }

    private static void writeMac(ByteBuf b) {
        b.writeShort((int) (OUR_MAC >>> 32)).writeInt((int) OUR_MAC);
    }

    @Override
    public void onBatchEnd() {
        link.flush();
    }

    @Override
    public void onWritable() {}

    @Override
    public void onLinkState(boolean up) {
        System.out.println("link " + (up ? "up" : "down"));
    }

    public static void main(String[] args) throws InterruptedException {
        var group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        IoEventLoop loop = group.next();
        boolean uml = args.length < 2 || !args[1].equals("qemu");
        var device = new NetDevice(loop, new NetConfig(0x024c53000003L, 1500, uml), PooledByteBufAllocator.DEFAULT);
        var backend = new VhostUserBackend(loop, device, Path.of(args[0]));
        loop.submit(() -> device.open(new EchoHost(device))).sync();
        backend.open().sync();
        System.out.println("listening on " + args[0]);
        while (true) {
            group.terminationFuture().await(5000);
            NetCounters c = device.counters();
            System.out.println("from guest " + c.framesFromGuest() + ", to guest " + c.framesToGuest() + ", kicks "
                    + backend.queue(1).counters().kicks() + ", calls "
                    + backend.queue(0).counters().calls() + "/"
                    + backend.queue(1).counters().calls() + ", blocked " + c.blocked());
        }
    }
}
