package dev.longshore.proxy.auth;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import javax.security.auth.Subject;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Keys ask the KDC once, and those that it refused are left alone: a directory locks accounts. */
class TicketsTest {
    private static final Keytab KEYS = new Keytab("svc@R.TEST", Path.of("/k"));

    private final AtomicLong now = new AtomicLong(Long.MAX_VALUE - 1000);
    private final List<Keytab> asked = new ArrayList<>();
    private final AtomicReference<@Nullable AuthFailure> failure = new AtomicReference<>();
    private final Tickets tickets = new Tickets(now::get, keytab -> {
        asked.add(keytab);
        AuthFailure f = failure.get();
        if (f != null) {
            throw f;
        }
        return new Kerberos.Holder(new Subject());
    });

    @Test
    void keys_askOnce_asLongAsTheTicketsAreGood() throws AuthFailure {
        Kerberos.Holder first = tickets.find(KEYS);

        assertThat(tickets.find(KEYS)).isSameAs(first);
        assertThat(asked).containsExactly(KEYS);

        Keytab others = new Keytab("other@R.TEST", Path.of("/k"));
        assertThat(tickets.find(others)).isNotSameAs(first);
        assertThat(asked).containsExactly(KEYS, others);
    }

    @Test
    void keysThatAreRefused_areLeftAlone_untilTheyAreOthers() throws AuthFailure {
        failure.set(new AuthFailure("no", true));
        assertThatThrownBy(() -> tickets.find(KEYS)).hasMessage("no");
        now.addAndGet(Account.REFUSAL - 1);
        assertThatThrownBy(() -> tickets.find(KEYS)).hasMessage("no");
        assertThat(asked).hasSize(1);

        now.addAndGet(1);
        failure.set(null);
        assertThat(tickets.find(KEYS)).isNotNull();
        assertThat(asked).hasSize(2);
    }

    /** A KDC that is not there is looked for again sooner. */
    @Test
    void kdcThatIsAway_isAskedAgainSoon() throws AuthFailure {
        failure.set(new AuthFailure("away"));
        assertThatThrownBy(() -> tickets.find(KEYS)).hasMessage("away");
        now.addAndGet(TimeUnit.SECONDS.toNanos(31));
        failure.set(null);

        assertThat(tickets.find(KEYS)).isNotNull();
    }

    @Test
    void keytabThatIsNotThere_isSaid(@TempDir Path dir) {
        System.setProperty("java.security.krb5.conf", dir.toString());
        try {
            assertThatThrownBy(() -> Kerberos.byKeytab(new Keytab("svc@R.TEST", dir.resolve("none"))))
                    .hasMessageContaining("can't be read");
        } finally {
            System.clearProperty("java.security.krb5.conf");
        }
        assertThat(Keytab.parse("a/b@R=/x=y")).isEqualTo(new Keytab("a/b@R", Path.of("/x=y")));
    }
}
