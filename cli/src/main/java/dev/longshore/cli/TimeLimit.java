package dev.longshore.cli;

import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** Docker Desktop's {@code --timeout}: what is under way may go on in the daemon, the command ends. */
final class TimeLimit {
    private TimeLimit() {}

    /**
     * Runs {@code work}, for at most so long; then throws with {@link ExitCode#TIME_IS_UP}, and {@code work} is interrupted.
     *
     * @param seconds 0 or less for no limit
     * @param what as in "the start", for the message
     */
    static int run(long seconds, String what, Callable<Integer> work) throws Exception {
        if (seconds <= 0) {
            return work.call();
        }
        FutureTask<Integer> task = new FutureTask<>(work);
        Thread thread = new Thread(task, what);
        thread.setDaemon(true);
        thread.start();
        try {
            return task.get(seconds, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new CliException(
                    "time is up: " + what + " took longer than "
                            + Duration.ofSeconds(seconds).toSeconds() + " s, and goes on without this command",
                    ExitCode.TIME_IS_UP);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof Exception cause ? cause : e;
        }
    }
}
