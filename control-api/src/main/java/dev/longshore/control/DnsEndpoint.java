package dev.longshore.control;

import dev.longshore.proto.control.v1.DnsLogLine;
import dev.longshore.proto.control.v1.DnsServiceGrpc;
import dev.longshore.proto.control.v1.DnsSource;
import dev.longshore.proto.control.v1.FlushDnsReply;
import dev.longshore.proto.control.v1.FlushDnsRequest;
import dev.longshore.proto.control.v1.GetDnsLogReply;
import dev.longshore.proto.control.v1.GetDnsLogRequest;
import dev.longshore.proto.control.v1.QueryDnsReply;
import dev.longshore.proto.control.v1.QueryDnsRequest;
import io.grpc.stub.StreamObserver;

/** DnsService of {@code dns.proto}. Thread-safe: holds nothing but the name server. */
final class DnsEndpoint extends DnsServiceGrpc.DnsServiceImplBase {
    private static final int MAX_NAME_CHARS = 255;
    private static final int MAX_LINES = 1000;

    private final DnsControl dns;

    DnsEndpoint(DnsControl dns) {
        this.dns = dns;
    }

    @Override
    public void queryDns(QueryDnsRequest request, StreamObserver<QueryDnsReply> observer) {
        if (request.getName().isEmpty() || request.getName().length() > MAX_NAME_CHARS) {
            Answer.refuse(observer, Outcome.Reason.INVALID, "name is a domain name");
            return;
        }
        Answer.when(dns.query(request.getName(), request.getType()), observer, e -> QueryDnsReply.newBuilder()
                .setName(e.name())
                .setType(e.type())
                .setRcode(e.rcode())
                .addAllFlags(e.flags())
                .setSource(source(e.source()))
                .setFrom(e.from())
                .setFiltered(e.filtered())
                .setMicros(e.micros())
                .addAllSteps(e.steps())
                .addAllRecords(e.records())
                .build());
    }

    @Override
    public void getDnsLog(GetDnsLogRequest request, StreamObserver<GetDnsLogReply> observer) {
        int most = request.getMost();
        if (most < 0 || most > MAX_LINES) {
            Answer.refuse(observer, Outcome.Reason.INVALID, "most is 0 to 1000");
            return;
        }
        Answer.when(dns.log(most == 0 ? MAX_LINES : most), observer, lines -> {
            GetDnsLogReply.Builder reply = GetDnsLogReply.newBuilder();
            lines.forEach(line -> reply.addLines(line(line)));
            return reply.build();
        });
    }

    private static DnsLogLine line(DnsControl.Line line) {
        return DnsLogLine.newBuilder()
                .setNumber(line.number())
                .setAt(Replies.timestamp(line.at()))
                .setGuest(line.guest())
                .setName(line.name())
                .setType(line.type())
                .setTcp(line.tcp())
                .setRcode(line.rcode())
                .setBytes(line.bytes())
                .setSource(source(line.source()))
                .setFiltered(line.filtered())
                .setFrom(line.from())
                .setMicros(line.micros())
                .build();
    }

    @Override
    public void flushDns(FlushDnsRequest request, StreamObserver<FlushDnsReply> observer) {
        Answer.when(dns.flush(), observer, entries -> FlushDnsReply.newBuilder()
                .setEntries(entries)
                .build());
    }

    private static DnsSource source(DnsControl.Source source) {
        return switch (source) {
            case LOCAL -> DnsSource.DNS_SOURCE_LOCAL;
            case HOSTS -> DnsSource.DNS_SOURCE_HOSTS;
            case CACHE -> DnsSource.DNS_SOURCE_CACHE;
            case RESOLVER -> DnsSource.DNS_SOURCE_RESOLVER;
            case ROUTE -> DnsSource.DNS_SOURCE_ROUTE;
            case NONE -> DnsSource.DNS_SOURCE_NONE;
            case BUSY -> DnsSource.DNS_SOURCE_BUSY;
            case MALFORMED -> DnsSource.DNS_SOURCE_MALFORMED;
            case POLICY -> DnsSource.DNS_SOURCE_POLICY;
        };
    }
}
