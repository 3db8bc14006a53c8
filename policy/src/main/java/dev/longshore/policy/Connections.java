package dev.longshore.policy;

import dev.longshore.config.EgressPolicy.Protocol;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.vpnkit.hostsocket.ResetClose;
import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelOption;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The host's sockets that were opened for the guest, the HTTP proxy's included, so that another policy can end them. Who opened one,
 * and under which names, stays as it was then. Confined to the link's event loop.
 */
final class Connections {
    private static final Logger LOG = LoggerFactory.getLogger(Connections.class);

    private final EgressControl control;
    private final Map<Channel, Open> open = new HashMap<>();

    Connections(EgressControl control) {
        this.control = control;
    }

    /**
     * What is known of one.
     *
     * @param attempt that was judged; null if there was no policy then
     * @param source of the guest's side
     * @param name that was dialled; null if it was an address
     * @param remote as the guest sees it; null if a name was dialled
     * @param elsewhere the socket is connected to somebody who goes on from there, not to the remote
     */
    record Open(
            @Nullable Attempt attempt,
            @Nullable IpAddress source,
            @Nullable String name,
            @Nullable IpAddress remote,
            boolean host,
            boolean elsewhere,
            int port) {}

    void add(Channel channel, Open what) {
        open.put(channel, what);
        control.onConnections(open.size());
        channel.closeFuture().addListener(_ -> {
            open.remove(channel);
            control.onConnections(open.size());
        });
    }

    int size() {
        return open.size();
    }

    /** Judges all of them anew. */
    void cutDenied() {
        List<Channel> denied = new ArrayList<>();
        open.forEach((channel, what) -> {
            if (refusal(channel, what) != null) {
                denied.add(channel);
            }
        });
        denied.forEach(this::cut);
    }

    /** Null for one that may stay, or come, by the policy of now; else the reason, for the guest. */
    @Nullable
    String refusal(Channel channel, Open what) {
        Facts facts = facts(channel, what);
        int decision = control.decide(facts);
        if (decision == CompiledPolicy.UNDECIDED || !control.isDenied(decision)) {
            return null;
        }
        String reason = control.refusal(decision);
        LOG.info("cut: {}: {}", facts.toAttempt(), reason);
        return reason;
    }

    private Facts facts(Channel channel, Open what) {
        Attempt was = what.attempt;
        Facts facts;
        if (was != null) {
            facts = control.facts().of(was);
        } else {
            facts = control.facts().begin(control.whoNow(what.source), Protocol.TCP, what.port);
            IpAddress remote = what.remote;
            if (remote != null) {
                facts = control.facts(facts.who, Protocol.TCP, remote.hi(), remote.lo(), what.port);
            } else if (what.name != null) {
                facts.add(what.name, true);
                facts.host = what.host;
            }
        }
        if (!facts.hasAddress && what.elsewhere && !what.host) {
            facts.elsewhere = true;
        } else if (!facts.hasAddress) {
            IpAddress address = what.host ? control.plan().host() : remoteOf(channel);
            if (address != null) {
                control.lookedUp(facts, address);
            }
        }
        return facts;
    }

    private static @Nullable IpAddress remoteOf(Channel channel) {
        return channel.remoteAddress() instanceof InetSocketAddress a && !a.isUnresolved()
                ? IpAddress.of(a.getAddress())
                : null;
    }

    /** Both sides see a failure, not an end of stream. */
    private void cut(Channel channel) {
        control.onCut();
        try {
            channel.config().setOption(ChannelOption.SO_LINGER, 0);
        } catch (ChannelException e) {
            LOG.debug("{} is closed already", channel);
        }
        if (channel.pipeline().first() != null) {
            channel.pipeline().fireExceptionCaught(new IOException("ended by the egress policy"));
        }
        ResetClose.close(channel);
    }
}
