package dev.longshore.bench;

/** A measurement that could not be made; the text says why. */
final class BenchException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    BenchException(String message) {
        super(message);
    }
}
