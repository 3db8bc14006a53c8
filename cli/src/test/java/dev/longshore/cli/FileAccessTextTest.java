package dev.longshore.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.FileAccess;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

class FileAccessTextTest {
    private static final FileAccess RENAME = FileAccess.newBuilder()
            .setTime(Timestamp.newBuilder().setSeconds(1).setNanos(500_000_000))
            .setKind("rename")
            .setPath("/home/u/a\u001b[2J")
            .setTo("/home/u/b")
            .setUid(-1)
            .setGid(2)
            .setPid(3)
            .setErrno(13)
            .setError("permission denied")
            .build();

    @Test
    void line_saysAll_andCommandsNoTerminal() {
        assertThat(FileAccessText.line(RENAME))
                .endsWith(".500 rename         /home/u/a.[2J -> /home/u/b  (uid 4294967295, pid 3): permission denied");
    }

    @Test
    void closing_saysBytes() {
        FileAccess close = FileAccess.newBuilder()
                .setKind("close")
                .setPath("/home/u/a")
                .setBytesRead(7)
                .setBytesWritten(8)
                .build();
        assertThat(FileAccessText.line(close)).endsWith(" close          /home/u/a  (7 bytes read, 8 written)");
    }

    @Test
    void json_isALine_withEverything() {
        String text = FileAccessText.json(RENAME);

        assertThat(text).doesNotContain("\n");
        JsonNode json = JsonMapper.shared().readTree(text);
        assertThat(json.path("time").asString()).isEqualTo("1970-01-01T00:00:01.500Z");
        assertThat(json.path("kind").asString()).isEqualTo("rename");
        assertThat(json.path("path").asString()).isEqualTo("/home/u/a\u001b[2J");
        assertThat(json.path("to").asString()).isEqualTo("/home/u/b");
        assertThat(json.path("uid").longValue()).isEqualTo(0xFFFF_FFFFL);
        assertThat(json.path("gid").longValue()).isEqualTo(2);
        assertThat(json.path("pid").longValue()).isEqualTo(3);
        assertThat(json.path("errno").intValue()).isEqualTo(13);
        assertThat(json.path("error").asString()).isEqualTo("permission denied");
    }
}
