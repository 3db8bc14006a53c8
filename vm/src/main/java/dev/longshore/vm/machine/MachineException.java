package dev.longshore.vm.machine;

/** The machine can't be started; the message says why and what to do about it, for the user. */
public final class MachineException extends Exception {
    private static final long serialVersionUID = 1L;

    public MachineException(String message) {
        super(message);
    }

    public MachineException(String message, Throwable cause) {
        super(message, cause);
    }
}
