package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Timestamp;
import dev.longshore.proto.control.v1.DnsLogLine;
import dev.longshore.proto.control.v1.DnsServiceGrpc;
import dev.longshore.proto.control.v1.DnsSource;
import dev.longshore.proto.control.v1.FlushDnsRequest;
import dev.longshore.proto.control.v1.GetDnsLogRequest;
import dev.longshore.proto.control.v1.QueryDnsReply;
import dev.longshore.proto.control.v1.QueryDnsRequest;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** DnsService over a real socket. */
@Timeout(60)
class DnsServiceTest {
    private final FakeDaemon daemon = new FakeDaemon();

    @RegisterExtension
    private final RunningServer running = new RunningServer(daemon);

    private DnsServiceGrpc.DnsServiceBlockingStub dns() {
        return DnsServiceGrpc.newBlockingStub(running.channel());
    }

    @Test
    void query_isAnsweredField_byField() {
        QueryDnsReply reply =
                dns().queryDns(QueryDnsRequest.newBuilder().setName("a.test").build());
        assertThat(reply.getName()).isEqualTo("a.test.");
        assertThat(reply.getType()).isEqualTo("A");
        assertThat(reply.getRcode()).isEqualTo("NOERROR");
        assertThat(reply.getFlagsList()).containsExactly("rd", "ra");
        assertThat(reply.getSource()).isEqualTo(DnsSource.DNS_SOURCE_ROUTE);
        assertThat(reply.getFrom()).isEqualTo("192.0.2.53:53");
        assertThat(reply.getFiltered()).isTrue();
        assertThat(reply.getMicros()).isEqualTo(1234);
        assertThat(reply.getStepsList()).containsExactly("route corp.example");
        assertThat(reply.getRecordsList()).containsExactly("a.test. 60 A 192.0.2.1");
    }

    @Test
    void log_andFlush() {
        DnsLogLine line = dns().getDnsLog(GetDnsLogRequest.getDefaultInstance()).getLines(0);
        assertThat(line.getNumber()).isEqualTo(7);
        assertThat(line.getAt())
                .isEqualTo(Timestamp.newBuilder().setSeconds(1).setNanos(5).build());
        assertThat(line.getSource()).isEqualTo(DnsSource.DNS_SOURCE_CACHE);
        assertThat(line.getRcode()).isEqualTo("NXDOMAIN");
        assertThat(dns().flushDns(FlushDnsRequest.getDefaultInstance()).getEntries())
                .isEqualTo(3);
    }

    @Test
    void nonsense_isRefused() {
        assertThatThrownBy(() -> dns().queryDns(QueryDnsRequest.getDefaultInstance()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT));
        assertThatThrownBy(() -> dns().getDnsLog(
                                GetDnsLogRequest.newBuilder().setMost(1001).build()))
                .isInstanceOf(StatusRuntimeException.class);
    }
}
