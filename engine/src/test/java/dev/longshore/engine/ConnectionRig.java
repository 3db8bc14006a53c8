package dev.longshore.engine;

import dev.longshore.engine.policy.ApiGate;
import dev.longshore.testkit.ScriptedChannel;
import io.netty.buffer.Unpooled;
import java.nio.charset.StandardCharsets;

/** A connection between two ends that are the test: the caller and the Engine. Bytes are ISO-8859-1 text. */
final class ConnectionRig {
    final ScriptedChannel caller = new ScriptedChannel();
    final ScriptedChannel engine = ScriptedChannel.beside(caller);
    final ApiConnection connection;
    int unanswered;
    int requests;

    ConnectionRig(ApiGate gate) {
        connection = ApiConnection.start(caller, engine, gate, new ApiConnection.Listener() {
            @Override
            public void onRequest() {
                requests++;
            }

            @Override
            public void onNoAnswer() {
                unanswered++;
            }
        });
    }

    /** What the Engine has got since the last call. */
    String atEngine() {
        caller.runPendingTasks();
        return engine.sent();
    }

    /** What the caller has got since the last call. */
    String atCaller() {
        return caller.sent();
    }

    /** Hands on what was queued without looking at it: a connection that has ended takes nothing. */
    static void send(ScriptedChannel to, String text) {
        if (to.isOpen() && !text.isEmpty()) {
            to.writeInbound(Unpooled.copiedBuffer(text, StandardCharsets.ISO_8859_1));
        }
    }
}
