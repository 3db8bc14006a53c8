package dev.longshore.backend;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A build goes on without the record of a rehearsal that failed: here it must not. */
class RehearsalTest {
    @TempDir
    Path dir;

    @Test
    @Timeout(60)
    void guest_getsItsLeaseItsNameAndItsConnections() throws Exception {
        Rehearsal.run(dir);
    }
}
