package dev.longshore.proxy.auth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** MS-NLMP §4.2.4, NTLM version 2, and RFC 1320 §A.5. */
class NtlmTest {
    private static final HexFormat HEX = HexFormat.of();
    private static final byte[] SERVER = HEX.parseHex("0123456789abcdef");
    private static final byte[] CLIENT = HEX.parseHex("aaaaaaaaaaaaaaaa");

    /** §4.2.4: the AV pairs of NetBIOS domain and computer, with their end. */
    private static final byte[] INFO =
            HEX.parseHex("02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000");

    /** §4.2.4.3: CHALLENGE_MESSAGE. */
    private static final byte[] CHALLENGE = HEX.parseHex("4e544c4d53535000020000000c000c003800000033828ae2"
            + "0123456789abcdef00000000000000002400240044000000"
            + "06007017 0000000f53006500720076006500720002000c0044006f006d00610069006e00".replace(" ", "")
            + "01000c0053006500720076006500720000000000");

    @Test
    void md4_ofTheRfcsMessages() {
        assertThat(md4("")).isEqualTo("31d6cfe0d16ae931b73c59d7e0c089c0");
        assertThat(md4("a")).isEqualTo("bde52cb31de33e46245e05fbdbd6fb24");
        assertThat(md4("abc")).isEqualTo("a448017aaf21d8525fc10ae87aa6729d");
        assertThat(md4("message digest")).isEqualTo("d9130a8164549fe818874806e1c7014b");
        assertThat(md4("12345678901234567890123456789012345678901234567890123456789012345678901234567890"))
                .isEqualTo("e33b4ddc9c38f2199c3e7b164fcc0536");
    }

    private static String md4(String text) {
        return HEX.formatHex(Md4.digest(text.getBytes(StandardCharsets.US_ASCII)));
    }

    @Test
    void responses_areThoseOfTheSpecification() {
        byte[] key = Ntlm.responseKey("User", "Domain", "Password");
        assertThat(HEX.formatHex(key)).isEqualTo("0c868a403bfd7a93a3001ef22ef02e3f");

        byte[] response = Ntlm.response(key, SERVER, CLIENT, 0, INFO);
        assertThat(HEX.formatHex(response, 0, 16)).isEqualTo("68cd0ab851e51c96aabc927bebef6a1c");
        assertThat(HEX.formatHex(Digests.hmacMd5(key, Arrays.copyOf(response, 16))))
                .isEqualTo("8de40ccadbc14a82f15cb0ad0de95ca3");
        assertThat(HEX.formatHex(Digests.hmacMd5(key, SERVER, CLIENT))).isEqualTo("86c35097ac9cec102554764a57cccc19");
    }

    @Test
    void answer_namesUserAndDomain_andProvesThePassword() throws AuthFailure {
        byte[] message = Ntlm.authenticate(
                Ntlm.question(CHALLENGE),
                Ntlm.Account.of("Domain\\User", "Password"),
                "HTTP/proxy.test",
                ChannelBinding.NONE.hash(),
                CLIENT,
                0);

        assertThat(text(message, 28)).isEqualTo("Domain");
        assertThat(text(message, 36)).isEqualTo("User");
        assertThat(HEX.formatHex(field(message, 12))).isEqualTo("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
        byte[] nt = field(message, 20);
        byte[] key = Ntlm.responseKey("User", "Domain", "Password");
        assertThat(Arrays.copyOf(nt, 16))
                .isEqualTo(Digests.hmacMd5(key, SERVER, Arrays.copyOfRange(nt, 16, nt.length)));
        assertThat(HEX.formatHex(message, 72, 88)).isEqualTo("00".repeat(16));
    }

    /** §3.1.5.1.2: with a time stamp, a MIC over the three messages and no LMv2 response. */
    @Test
    void timestamp_bringsTheMic_andTheChannelBinding() throws AuthFailure {
        byte[] stamped = withTimestamp(0x01d9aabbccddeeffL);
        byte[] binding = ChannelBinding.of(new byte[32]).hash();

        byte[] message = Ntlm.authenticate(
                Ntlm.question(stamped), Ntlm.Account.of("User", "Password"), "HTTP/p", binding, CLIENT, 0);

        assertThat(field(message, 12)).isEqualTo(new byte[24]);
        byte[] nt = field(message, 20);
        assertThat(HEX.formatHex(nt))
                .contains("0a001000" + HEX.formatHex(binding))
                .contains("0600040002000000");
        byte[] key = Ntlm.responseKey("User", "Domain", "Password");
        byte[] session = Digests.hmacMd5(key, Arrays.copyOf(nt, 16));
        byte[] without = message.clone();
        Arrays.fill(without, 72, 88, (byte) 0);
        assertThat(Arrays.copyOfRange(message, 72, 88))
                .isEqualTo(Digests.hmacMd5(session, Ntlm.negotiate(), stamped, without));
    }

    private static byte[] withTimestamp(long time) {
        ByteBuffer out = ByteBuffer.allocate(CHALLENGE.length + 12).order(ByteOrder.LITTLE_ENDIAN);
        out.put(CHALLENGE, 0, CHALLENGE.length - 4)
                .putShort((short) 7)
                .putShort((short) 8)
                .putLong(time)
                .putInt(0);
        out.putShort(40, (short) 48).putShort(42, (short) 48);
        return out.array();
    }

    @Test
    void cutOrOldChallenges_areRefused() throws AuthFailure {
        for (int length = 0; length < CHALLENGE.length; length++) {
            byte[] cut = Arrays.copyOf(CHALLENGE, length);
            assertThatThrownBy(() -> Ntlm.question(cut)).isInstanceOf(AuthFailure.class);
        }
        byte[] versionOne = CHALLENGE.clone();
        versionOne[22] &= 0x7f; // no target info
        assertThatThrownBy(() -> Ntlm.question(versionOne)).isInstanceOf(AuthFailure.class);
        Ntlm.question(CHALLENGE);
    }

    private static byte[] field(byte[] message, int at) {
        ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
        return Arrays.copyOfRange(message, in.getInt(at + 4), in.getInt(at + 4) + in.getShort(at));
    }

    private static String text(byte[] message, int at) {
        return new String(field(message, at), StandardCharsets.UTF_16LE);
    }
}
