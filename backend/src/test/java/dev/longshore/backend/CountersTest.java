package dev.longshore.backend;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.longshore.link.LinkCounter;
import dev.longshore.virtio.net.NetDrop;
import dev.longshore.virtio.vsock.VsockCounter;
import dev.longshore.vpnkit.count.Counted;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Every counter can be told from every other one, and says what it counts. */
class CountersTest {
    private record Counter(String constant, String metric, String tags, String help) {}

    private static List<Counter> all() {
        List<Counter> all = new ArrayList<>();
        for (JavaClass c : new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("dev.longshore")) {
            if (c.isEnum() && c.isAssignableTo(Counted.class)) {
                for (Object constant : c.reflect().getEnumConstants()) {
                    Counted counted = (Counted) constant;
                    all.add(new Counter(
                            c.getSimpleName() + "." + constant, counted.metric(), counted.tags(), counted.help()));
                }
            }
        }
        for (VsockCounter c : VsockCounter.values()) {
            all.add(new Counter("VsockCounter." + c, c.metric(), c.tags(), c.help()));
        }
        for (LinkCounter c : LinkCounter.values()) {
            all.add(new Counter("LinkCounter." + c, c.metric(), c.tags(), c.help()));
        }
        for (NetDrop d : NetDrop.values()) {
            String reason = "reason=" + d.name().toLowerCase(Locale.ROOT);
            all.add(new Counter("NetDrop." + d, "virtio.net.frames.dropped", reason, d.help()));
        }
        assertThat(all).as("the counters of all modules").hasSizeGreaterThan(100);
        return all;
    }

    @Test
    void names_areUniqueAndOfOneForm() {
        Set<String> seen = new HashSet<>();
        for (Counter c : all()) {
            assertThat(c.metric())
                    .as(c.constant())
                    .matches("(vpnkit|virtio|link|portforward|proxy|policy)(\\.[a-z][a-z0-9_]*)+");
            assertThat(c.tags()).as(c.constant()).matches("|[a-zA-Z]+=[a-zA-Z0-9_]+(,[a-zA-Z]+=[a-zA-Z0-9_]+)*");
            assertThat(seen.add(c.metric() + "{" + c.tags() + "}"))
                    .as(c.constant())
                    .isTrue();
        }
    }

    /** Prometheus refuses a metric whose series have different tags. */
    @Test
    void seriesOfOneMetric_haveTheSameTags() {
        Map<String, Set<String>> keys = new HashMap<>();
        for (Counter c : all()) {
            Set<String> own = new TreeSet<>();
            for (String pair : c.tags().split(",", -1)) {
                own.add(pair.replaceAll("=.*", ""));
            }
            assertThat(own).as(c.constant()).isEqualTo(keys.computeIfAbsent(c.metric(), _ -> own));
        }
    }

    @Test
    void help_isASentenceOfItsOwn() {
        Map<String, String> seen = new HashMap<>();
        for (Counter c : all()) {
            assertThat(c.help()).as(c.constant()).matches("(?s)[A-Z].{8,}\\.");
            String module = c.constant().substring(0, c.constant().indexOf('.'));
            assertThat(seen.put(module + ": " + c.help(), c.constant()))
                    .as(c.constant() + ": " + c.help())
                    .isNull();
        }
    }
}
