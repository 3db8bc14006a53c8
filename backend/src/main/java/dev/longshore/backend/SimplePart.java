package dev.longshore.backend;

/** A part made of two actions. */
record SimplePart(String name, String title, Start onStart, Stop onStop) implements Part {
    interface Start {
        void run(Progress progress) throws Exception;
    }

    interface Stop {
        void run() throws Exception;
    }

    @Override
    public void start(Progress progress) throws Exception {
        onStart.run(progress);
    }

    @Override
    public void stop() throws Exception {
        onStop.run();
    }
}
