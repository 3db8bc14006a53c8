package dev.longshore.vpnkit;

import static dev.longshore.testkit.GuestEnd.DNS6;
import static dev.longshore.testkit.GuestEnd.GUEST6;
import static dev.longshore.testkit.GuestEnd.GUEST_LINK_LOCAL;
import static dev.longshore.testkit.GuestEnd.ROUTER;
import static org.assertj.core.api.Assertions.assertThat;

import dev.longshore.packet.wire.Dhcpv6Message;
import dev.longshore.packet.wire.IpAddress;
import dev.longshore.testkit.GuestEnd;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** RFC 8415 §18.3. */
class NetworkDhcpv6Test {
    private static final int TRANSACTION = 0x12_3456;
    private static final int IAID = 77;

    private final TestNetwork net = new TestNetwork();
    private final GuestEnd guest = net.guest;

    @AfterEach
    void close() {
        net.close();
        assertThat(net.dropped("fault")).isZero();
    }

    private void send(int type, boolean named, boolean toUs, Consumer<ByteBuf> more) {
        ByteBuf b = Unpooled.buffer();
        Dhcpv6Message.write(b, type, TRANSACTION);
        if (named) {
            Dhcpv6Message.writeLinkLayerDuid(b, Dhcpv6Message.OPTION_CLIENT_ID, GuestEnd.GUEST_MAC);
        }
        if (toUs) {
            Dhcpv6Message.writeLinkLayerDuid(b, Dhcpv6Message.OPTION_SERVER_ID, GuestEnd.OUR_MAC);
        }
        more.accept(b);
        byte[] message = ByteBufUtil.getBytes(b);
        guest.address(GUEST_LINK_LOCAL);
        guest.sendUdp(Dhcpv6Message.CLIENT_PORT, Dhcpv6Message.ALL_SERVERS, Dhcpv6Message.SERVER_PORT, message);
    }

    private static void association(ByteBuf b) {
        int ia = Dhcpv6Message.beginOption(b, Dhcpv6Message.OPTION_IA_NA);
        b.writeInt(IAID).writeLong(0);
        Dhcpv6Message.endOption(b, ia);
    }

    private static void association(ByteBuf b, IpAddress address) {
        int ia = Dhcpv6Message.beginOption(b, Dhcpv6Message.OPTION_IA_NA);
        b.writeInt(IAID).writeLong(0);
        Dhcpv6Message.writeAddress(b, address.hi(), address.lo(), 0, 0);
        Dhcpv6Message.endOption(b, ia);
    }

    /** An answer, checked as a client does. */
    private ByteBuf receive(int type) {
        GuestEnd.Datagram d = guest.receiveUdp();
        guest.receivesNothing();
        ByteBuf b = d.payload();
        assertThat(d.source()).isEqualTo(ROUTER);
        assertThat(d.destination()).isEqualTo(guest.addressFor(ROUTER));
        assertThat(d.sourcePort()).isEqualTo(Dhcpv6Message.SERVER_PORT);
        assertThat(d.destinationPort()).isEqualTo(Dhcpv6Message.CLIENT_PORT);
        assertThat(Dhcpv6Message.isValid(b, 0, b.readableBytes())).isTrue();
        assertThat(Dhcpv6Message.type(b, 0)).isEqualTo(type);
        assertThat(Dhcpv6Message.transaction(b, 0)).isEqualTo(TRANSACTION);
        assertThat(option(b, Dhcpv6Message.OPTION_SERVER_ID)).isPositive();
        return b;
    }

    private static int option(ByteBuf b, int code) {
        return Dhcpv6Message.option(b, 0, b.writerIndex(), code);
    }

    private static IpAddress address(ByteBuf b) {
        int ia = option(b, Dhcpv6Message.OPTION_IA_NA);
        assertThat(b.getInt(ia)).isEqualTo(IAID);
        int end = ia + Dhcpv6Message.length(b, ia);
        int address = Dhcpv6Message.optionIn(b, ia + 12, end, Dhcpv6Message.OPTION_IA_ADDRESS);
        return new IpAddress(b.getLong(address), b.getLong(address + 8));
    }

    private static int status(ByteBuf b) {
        return b.getUnsignedShort(option(b, Dhcpv6Message.OPTION_STATUS));
    }

    @Test
    void solicitAndRequest_giveTheGuestItsAddress_andTheNameServer() {
        send(Dhcpv6Message.SOLICIT, true, false, NetworkDhcpv6Test::association);
        assertThat(address(receive(Dhcpv6Message.ADVERTISE))).isEqualTo(GUEST6);
        send(Dhcpv6Message.REQUEST, true, true, b -> association(b, GUEST6));
        ByteBuf reply = receive(Dhcpv6Message.REPLY);
        assertThat(address(reply)).isEqualTo(GUEST6);
        int dns = option(reply, Dhcpv6Message.OPTION_DNS_SERVERS);
        assertThat(new IpAddress(reply.getLong(dns), reply.getLong(dns + 8))).isEqualTo(DNS6);
        int client = option(reply, Dhcpv6Message.OPTION_CLIENT_ID);
        assertThat(Dhcpv6Message.isLinkLayerDuid(
                        reply, client, Dhcpv6Message.length(reply, client), GuestEnd.GUEST_MAC))
                .isTrue();
        assertThat(net.count("vpnkit.dhcpv6.leases", "")).isEqualTo(1);
    }

    @Test
    void rapidCommit_isAnsweredByAReplyAtOnce() {
        send(Dhcpv6Message.SOLICIT, true, false, b -> {
            Dhcpv6Message.endOption(b, Dhcpv6Message.beginOption(b, Dhcpv6Message.OPTION_RAPID_COMMIT));
            association(b);
        });
        ByteBuf reply = receive(Dhcpv6Message.REPLY);
        assertThat(option(reply, Dhcpv6Message.OPTION_RAPID_COMMIT)).isPositive();
        assertThat(address(reply)).isEqualTo(GUEST6);
    }

    @Test
    void renewRebindAndRelease_keepTheGuestsAddress() {
        send(Dhcpv6Message.RENEW, true, true, b -> association(b, GUEST6));
        assertThat(address(receive(Dhcpv6Message.REPLY))).isEqualTo(GUEST6);
        send(Dhcpv6Message.REBIND, true, false, b -> association(b, GUEST6));
        assertThat(address(receive(Dhcpv6Message.REPLY))).isEqualTo(GUEST6);
        send(Dhcpv6Message.RELEASE, true, true, b -> association(b, GUEST6));
        assertThat(status(receive(Dhcpv6Message.REPLY))).isEqualTo(Dhcpv6Message.STATUS_SUCCESS);
        send(Dhcpv6Message.REQUEST, true, true, NetworkDhcpv6Test::association);
        assertThat(address(receive(Dhcpv6Message.REPLY))).isEqualTo(GUEST6);
    }

    @Test
    void confirm_saysWhetherTheAddressIsOfThisLink() {
        send(Dhcpv6Message.CONFIRM, true, false, b -> association(b, GUEST6));
        assertThat(status(receive(Dhcpv6Message.REPLY))).isEqualTo(Dhcpv6Message.STATUS_SUCCESS);
        send(Dhcpv6Message.CONFIRM, true, false, b -> association(b, IpAddress.parse("2001:db8::3")));
        assertThat(status(receive(Dhcpv6Message.REPLY))).isEqualTo(Dhcpv6Message.STATUS_NOT_ON_LINK);
        send(Dhcpv6Message.CONFIRM, true, false, NetworkDhcpv6Test::association);
        guest.receivesNothing();
    }

    @Test
    void informationRequest_getsTheNameServer_alsoAnonymously() {
        send(Dhcpv6Message.INFORMATION_REQUEST, false, false, b -> {});
        ByteBuf reply = receive(Dhcpv6Message.REPLY);
        assertThat(option(reply, Dhcpv6Message.OPTION_DNS_SERVERS)).isPositive();
        assertThat(option(reply, Dhcpv6Message.OPTION_IA_NA)).isNegative();
    }

    @Test
    void secondAssociation_andPrefixes_areRefusedEach() {
        send(Dhcpv6Message.SOLICIT, true, false, b -> {
            association(b);
            association(b);
            int pd = Dhcpv6Message.beginOption(b, Dhcpv6Message.OPTION_IA_PD);
            b.writeInt(5).writeLong(0);
            Dhcpv6Message.endOption(b, pd);
        });
        ByteBuf reply = receive(Dhcpv6Message.ADVERTISE);
        assertThat(address(reply)).isEqualTo(GUEST6);
        int second = option(reply, Dhcpv6Message.OPTION_IA_NA);
        second += Dhcpv6Message.length(reply, second) + 4;
        assertThat(reply.getUnsignedShort(second + 12 + 4)).isEqualTo(Dhcpv6Message.STATUS_NO_ADDRESSES);
        int pd = option(reply, Dhcpv6Message.OPTION_IA_PD);
        assertThat(reply.getUnsignedShort(pd + 12 + 4)).isEqualTo(Dhcpv6Message.STATUS_NO_PREFIX);
    }

    @Test
    void strangers_getOtherAddresses_andTheSameAgain_untilThereAreNone() {
        IpAddress first = null;
        for (int i = 0; i < 65; i++) {
            guest.mac(0x0200_0000_0100L + i);
            send(Dhcpv6Message.REQUEST, true, true, NetworkDhcpv6Test::association);
            ByteBuf reply = receive(Dhcpv6Message.REPLY);
            if (i == 64) {
                int ia = option(reply, Dhcpv6Message.OPTION_IA_NA);
                assertThat(reply.getUnsignedShort(ia + 12 + 4)).isEqualTo(Dhcpv6Message.STATUS_NO_ADDRESSES);
                break;
            }
            assertThat(address(reply)).isNotEqualTo(GUEST6);
            first = first == null ? address(reply) : first;
        }
        guest.mac(0x0200_0000_0100L);
        send(Dhcpv6Message.REBIND, true, false, NetworkDhcpv6Test::association);
        assertThat(address(receive(Dhcpv6Message.REPLY))).isEqualTo(first);
        guest.mac(GuestEnd.GUEST_MAC);
        send(Dhcpv6Message.SOLICIT, true, false, NetworkDhcpv6Test::association);
        assertThat(address(receive(Dhcpv6Message.ADVERTISE))).isEqualTo(GUEST6);
    }

    @Test
    void messagesThatMustBeDiscarded_areSilent() { // RFC 8415 §16
        send(Dhcpv6Message.SOLICIT, false, false, NetworkDhcpv6Test::association);
        send(Dhcpv6Message.SOLICIT, true, true, NetworkDhcpv6Test::association);
        send(Dhcpv6Message.REQUEST, true, false, NetworkDhcpv6Test::association);
        send(Dhcpv6Message.REBIND, true, true, NetworkDhcpv6Test::association);
        send(Dhcpv6Message.ADVERTISE, true, true, b -> {});
        send(Dhcpv6Message.REPLY, true, true, b -> {});
        send(Dhcpv6Message.INFORMATION_REQUEST, true, false, NetworkDhcpv6Test::association);
        send(Dhcpv6Message.REQUEST, true, false, b -> {
            Dhcpv6Message.writeLinkLayerDuid(b, Dhcpv6Message.OPTION_SERVER_ID, 5);
            association(b);
        });
        send(Dhcpv6Message.SOLICIT, true, false, b -> b.writeInt(0x0003_00FF));
        guest.receivesNothing();
        assertThat(net.dropped("layer=dhcp,reason=bad")).isEqualTo(9);
    }
}
