package dev.longshore.control;

import io.grpc.stub.StreamObserver;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The end of every call: a reply, or the status of its failure. */
final class Answer {
    private static final Logger LOG = LoggerFactory.getLogger(Answer.class);

    private Answer() {}

    static <R> void with(StreamObserver<R> observer, Supplier<R> reply) {
        R made;
        try {
            made = reply.get();
        } catch (RuntimeException e) {
            bug(observer, e);
            return;
        }
        observer.onNext(made);
        observer.onCompleted();
    }

    static <T, R> void when(CompletionStage<Outcome<T>> outcome, StreamObserver<R> observer, Function<T, R> reply) {
        outcome.whenComplete((done, error) -> {
            if (error != null) {
                bug(observer, error);
                return;
            }
            switch (done) {
                case Outcome.Done<T> d -> with(observer, () -> reply.apply(d.value()));
                case Outcome.Failed<T> f -> observer.onError(StatusCodes.of(f.reason(), f.text()));
            }
        });
    }

    static void refuse(StreamObserver<?> observer, Outcome.Reason reason, String text) {
        observer.onError(StatusCodes.of(reason, text));
    }

    static void bug(StreamObserver<?> observer, Throwable error) {
        LOG.error("a control call failed", error);
        observer.onError(StatusCodes.ofBug());
    }
}
