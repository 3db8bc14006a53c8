package dev.longshore.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.DescriptorProto.ReservedRange;
import com.google.protobuf.DescriptorProtos.EnumDescriptorProto;
import com.google.protobuf.DescriptorProtos.EnumValueDescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorSet;
import com.google.protobuf.DescriptorProtos.MethodDescriptorProto;
import com.google.protobuf.DescriptorProtos.ServiceDescriptorProto;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.TextFormat;
import dev.longshore.proto.control.v1.CaptureRequest;
import dev.longshore.proto.control.v1.DnsLogLine;
import dev.longshore.proto.control.v1.Event;
import dev.longshore.proto.control.v1.FileServerFigures;
import dev.longshore.proto.control.v1.Flow;
import dev.longshore.proto.control.v1.GetPolicyReply;
import dev.longshore.proto.control.v1.GetProxiesReply;
import dev.longshore.proto.control.v1.GetStatusReply;
import dev.longshore.proto.control.v1.Port;
import dev.longshore.proto.control.v1.Setting;
import dev.longshore.proto.control.v1.VersionReply;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Programs that were built with the API as it was, work with the API as it is. {@code control-v1.textproto} has all that was ever
 * promised; with {@code -Dapi.write=true} what is new is added to it.
 */
class CompatibilityTest {
    private static final Path PROMISED = Path.of("src/test/resources/control-v1.textproto");
    private static final List<FileDescriptor> FILES = Stream.of(
                    CaptureRequest.getDescriptor(),
                    Event.getDescriptor(),
                    FileServerFigures.getDescriptor(),
                    DnsLogLine.getDescriptor(),
                    Flow.getDescriptor(),
                    GetStatusReply.getDescriptor(),
                    GetPolicyReply.getDescriptor(),
                    GetProxiesReply.getDescriptor(),
                    Port.getDescriptor(),
                    Setting.getDescriptor(),
                    VersionReply.getDescriptor())
            .map(d -> d.getFile())
            .toList();

    private final List<String> broken = new ArrayList<>();

    @Test
    void whatWasPromised_holds() throws IOException {
        FileDescriptorSet now = FileDescriptorSet.newBuilder()
                .addAllFile(FILES.stream().map(FileDescriptor::toProto).toList())
                .build();
        FileDescriptorSet promised =
                Files.exists(PROMISED) ? read(Files.readString(PROMISED)) : FileDescriptorSet.getDefaultInstance();
        for (FileDescriptorProto before : promised.getFileList()) {
            find(now.getFileList(), before.getName(), FileDescriptorProto::getName)
                    .ifPresentOrElse(file -> compare(before, file), () -> broken.add(before.getName() + " is gone"));
        }
        assertThat(broken)
                .as("clients that exist would break: keep it, or reserve its number and its name")
                .isEmpty();
        if (Boolean.getBoolean("api.write")) {
            Files.createDirectories(Path.of("src/test/resources"));
            Files.writeString(PROMISED, TextFormat.printer().printToString(now));
        } else {
            assertThat(promised)
                    .as("there is something new: mvn test -pl control-api -Dtest=CompatibilityTest -Dapi.write=true")
                    .isEqualTo(now);
        }
    }

    @Test
    void changesThatBreakClients_areFound() throws IOException {
        FileDescriptorProto before = VersionReply.getDescriptor().getFile().toProto();
        FileDescriptorProto.Builder after = before.toBuilder();
        int at =
                before.getMessageTypeList().indexOf(VersionReply.getDescriptor().toProto());
        DescriptorProto.Builder message = after.getMessageTypeBuilder(at);
        message.getFieldBuilder(0).setNumber(7);
        after.getServiceBuilder(0).getMethodBuilder(0).setServerStreaming(true);

        compare(before, after.build());

        assertThat(broken).hasSize(2);
        assertThat(broken.getFirst()).contains("VersionReply", "version = 1");

        broken.clear();
        message.clearField()
                .addReservedRange(ReservedRange.newBuilder().setStart(1).setEnd(2))
                .addReservedName("version");
        after.setService(0, before.getService(0));
        compare(before, after.build());
        assertThat(broken).as("reserved").isEmpty();
    }

    private static FileDescriptorSet read(String text) throws IOException {
        FileDescriptorSet.Builder set = FileDescriptorSet.newBuilder();
        TextFormat.merge(text, set);
        return set.build();
    }

    private static <T> Optional<T> find(List<T> all, String name, Function<T, String> names) {
        return all.stream().filter(t -> names.apply(t).equals(name)).findFirst();
    }

    private void compare(FileDescriptorProto before, FileDescriptorProto now) {
        messages(before.getPackage(), before.getMessageTypeList(), now.getMessageTypeList());
        enums(before.getPackage(), before.getEnumTypeList(), now.getEnumTypeList());
        for (ServiceDescriptorProto service : before.getServiceList()) {
            Optional<ServiceDescriptorProto> there =
                    find(now.getServiceList(), service.getName(), ServiceDescriptorProto::getName);
            for (MethodDescriptorProto method : service.getMethodList()) {
                if (there.isEmpty() || !there.get().getMethodList().contains(method)) {
                    broken.add("rpc " + service.getName() + "." + method.getName());
                }
            }
        }
    }

    private void messages(String scope, List<DescriptorProto> before, List<DescriptorProto> now) {
        for (DescriptorProto message : before) {
            String name = scope + "." + message.getName();
            Optional<DescriptorProto> there = find(now, message.getName(), DescriptorProto::getName);
            if (there.isEmpty()) {
                broken.add("message " + name);
                continue;
            }
            for (FieldDescriptorProto field : message.getFieldList()) {
                if (!there.get().getFieldList().contains(field) && !isReserved(there.get(), field)) {
                    broken.add(name + ": " + field.getName() + " = " + field.getNumber());
                }
            }
            messages(name, message.getNestedTypeList(), there.get().getNestedTypeList());
            enums(name, message.getEnumTypeList(), there.get().getEnumTypeList());
        }
    }

    private static boolean isReserved(DescriptorProto message, FieldDescriptorProto field) {
        return message.getReservedNameList().contains(field.getName())
                && message.getReservedRangeList().stream()
                        .anyMatch(r -> r.getStart() <= field.getNumber() && field.getNumber() < r.getEnd());
    }

    private void enums(String scope, List<EnumDescriptorProto> before, List<EnumDescriptorProto> now) {
        for (EnumDescriptorProto type : before) {
            Optional<EnumDescriptorProto> there = find(now, type.getName(), EnumDescriptorProto::getName);
            for (EnumValueDescriptorProto value : type.getValueList()) {
                if (there.isEmpty() || !there.get().getValueList().contains(value)) {
                    broken.add("enum " + scope + "." + type.getName() + ": " + value.getName() + " = "
                            + value.getNumber());
                }
            }
        }
    }
}
