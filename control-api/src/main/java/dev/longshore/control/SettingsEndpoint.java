package dev.longshore.control;

import dev.longshore.config.EffectiveSettings;
import dev.longshore.config.SettingTable;
import dev.longshore.proto.control.v1.GetSettingReply;
import dev.longshore.proto.control.v1.GetSettingRequest;
import dev.longshore.proto.control.v1.ListSettingsReply;
import dev.longshore.proto.control.v1.ListSettingsRequest;
import dev.longshore.proto.control.v1.SetSettingReply;
import dev.longshore.proto.control.v1.SetSettingRequest;
import dev.longshore.proto.control.v1.Setting;
import dev.longshore.proto.control.v1.SettingsServiceGrpc;
import dev.longshore.proto.control.v1.UnsetSettingReply;
import dev.longshore.proto.control.v1.UnsetSettingRequest;
import dev.longshore.proto.control.v1.WatchSettingsReply;
import dev.longshore.proto.control.v1.WatchSettingsRequest;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** SettingsService of {@code settings.proto}. Thread-safe: holds nothing but the settings and a counter. */
final class SettingsEndpoint extends SettingsServiceGrpc.SettingsServiceImplBase {
    private static final int MAX_WATCHERS = 16;

    private final SettingsControl settings;
    private final Executor calls;
    private final AtomicInteger watchers = new AtomicInteger();

    /** {@code calls} does the work of all watchers. */
    SettingsEndpoint(SettingsControl settings, Executor calls) {
        this.settings = settings;
        this.calls = calls;
    }

    @Override
    public void getSetting(GetSettingRequest request, StreamObserver<GetSettingReply> observer) {
        switch (settings.view()) {
            case Outcome.Failed<SettingsControl.View> f -> Answer.refuse(observer, f.reason(), f.text());
            case Outcome.Done<SettingsControl.View> d -> {
                dev.longshore.config.Setting<?> setting =
                        SettingTable.find(request.getKey()).orElse(null);
                if (setting == null) {
                    Answer.refuse(
                            observer,
                            Outcome.Reason.NOT_FOUND,
                            "there is no setting " + request.getKey() + SettingTable.hint(request.getKey()));
                } else {
                    Answer.with(observer, () -> GetSettingReply.newBuilder()
                            .setSetting(Replies.setting(d.value(), setting.key()))
                            .build());
                }
            }
        }
    }

    @Override
    public void listSettings(ListSettingsRequest request, StreamObserver<ListSettingsReply> observer) {
        switch (settings.view()) {
            case Outcome.Failed<SettingsControl.View> f -> Answer.refuse(observer, f.reason(), f.text());
            case Outcome.Done<SettingsControl.View> d ->
                Answer.with(observer, () -> ListSettingsReply.newBuilder()
                        .addAllSettings(all(d.value()))
                        .addAllWarnings(d.value().warnings())
                        .addAllProblems(d.value().problems())
                        .build());
        }
    }

    private static List<Setting> all(SettingsControl.View view) {
        List<Setting> all = new ArrayList<>();
        for (EffectiveSettings.Entry<?> entry : view.settings().entries()) {
            all.add(Replies.setting(view, entry.setting().key()));
        }
        return all;
    }

    @Override
    public void setSetting(SetSettingRequest request, StreamObserver<SetSettingReply> observer) {
        Answer.when(settings.set(request.getKey(), request.getValue()), observer, c -> SetSettingReply.newBuilder()
                .setSetting(Replies.setting(c.view(), c.key()))
                .addAllAlsoChanged(also(c))
                .addAllNotes(c.notes())
                .build());
    }

    @Override
    public void unsetSetting(UnsetSettingRequest request, StreamObserver<UnsetSettingReply> observer) {
        Answer.when(settings.unset(request.getKey()), observer, c -> UnsetSettingReply.newBuilder()
                .setSetting(Replies.setting(c.view(), c.key()))
                .addAllAlsoChanged(also(c))
                .addAllNotes(c.notes())
                .build());
    }

    private static List<Setting> also(SettingsControl.Changed changed) {
        return changed.also().stream()
                .map(key -> Replies.setting(changed.view(), key))
                .toList();
    }

    @Override
    public void watchSettings(WatchSettingsRequest request, StreamObserver<WatchSettingsReply> observer) {
        if (watchers.incrementAndGet() > MAX_WATCHERS) {
            watchers.decrementAndGet();
            Answer.refuse(observer, Outcome.Reason.LIMIT, MAX_WATCHERS + " callers watch settings already");
            return;
        }
        new Watcher((ServerCallStreamObserver<WatchSettingsReply>) observer).start();
    }

    /**
     * One caller: it remembers what it has told and tells the difference. Thread-safe: changes and gRPC wake it from
     * different threads, the work is done by {@link #calls}, and {@link #pump} is synchronized.
     */
    private final class Watcher {
        private final ServerCallStreamObserver<WatchSettingsReply> out;
        private final Map<String, Setting> told = new HashMap<>();
        private @Nullable WatchSettingsReply last;
        private Events.@Nullable Subscription subscription;
        private boolean ended;

        Watcher(ServerCallStreamObserver<WatchSettingsReply> out) {
            this.out = out;
        }

        void start() {
            synchronized (this) {
                subscription = settings.onChange(this::wake);
            }
            out.setOnReadyHandler(this::pump);
            out.setOnCancelHandler(this::end);
            out.setOnCloseHandler(this::end);
            pump();
        }

        private void wake() {
            try {
                calls.execute(this::pump);
            } catch (RejectedExecutionException e) {
                end(); // the server is closing, and ends the call itself
            }
        }

        private synchronized void pump() {
            if (ended || !out.isReady() || out.isCancelled()) {
                return;
            }
            switch (settings.view()) {
                case Outcome.Failed<SettingsControl.View> f -> {
                    end();
                    Answer.refuse(out, f.reason(), f.text());
                }
                case Outcome.Done<SettingsControl.View> d -> tell(d.value());
            }
        }

        private void tell(SettingsControl.View view) {
            WatchSettingsReply.Builder reply = WatchSettingsReply.newBuilder()
                    .addAllWarnings(view.warnings())
                    .addAllProblems(view.problems());
            WatchSettingsReply around = reply.build();
            for (Setting s : all(view)) {
                if (!s.equals(told.put(s.getKey(), s))) {
                    reply.addSettings(s);
                }
            }
            if (reply.getSettingsCount() > 0 || !around.equals(last)) {
                last = around;
                out.onNext(reply.build());
            }
        }

        /** Idempotent. */
        private synchronized void end() {
            Events.Subscription mine = subscription;
            if (!ended && mine != null) {
                ended = true;
                mine.close();
                watchers.decrementAndGet();
            }
        }
    }
}
