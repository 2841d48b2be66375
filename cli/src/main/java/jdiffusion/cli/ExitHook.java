package jdiffusion.cli;

/** What is done when the program is told to end, unless this is closed before. */
final class ExitHook implements AutoCloseable {
    private final Thread thread;

    ExitHook(String name, Runnable work) {
        thread = new Thread(work, "jdiffusion-" + name);
        Runtime.getRuntime().addShutdownHook(thread);
    }

    @Override
    public void close() {
        try {
            Runtime.getRuntime().removeShutdownHook(thread);
        } catch (IllegalStateException _) {
            // The program is ending, and the hook runs by itself.
        }
    }
}
