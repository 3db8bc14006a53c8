package dev.longshore.backend;

import java.util.List;

/** A part that writes down its calls and does what the test says. */
record RecordedPart(String name, List<String> calls, Action onStart, Action onStop) implements Part {
    interface Action {
        void run() throws Exception;
    }

    @Override
    public String title() {
        return name;
    }

    @Override
    public void start(Progress progress) throws Exception {
        calls.add("+" + name);
        onStart.run();
    }

    @Override
    public void stop() throws Exception {
        calls.add("-" + name);
        onStop.run();
    }
}
