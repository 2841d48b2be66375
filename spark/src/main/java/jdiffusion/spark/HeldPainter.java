package jdiffusion.spark;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import jdiffusion.batch.Painter;
import jdiffusion.kernels.DeviceException;

/**
 * A painter of this JVM and one device, held for the JVM's life, so that a model is loaded once for all tasks. It runs
 * on a thread of its own; tasks that want the same one wait for each other.
 */
final class HeldPainter {
    /**
     * What one painter can be used for.
     *
     * @param threads of the CPU
     */
    record Key(Settings settings, String device, int threads) {
    }

    private static final long SECONDS_TO_CLOSE = 10;
    private static final Map<Key, HeldPainter> HELD = new ConcurrentHashMap<>();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(HeldPainter::closeAll, "jdiffusion-close"));
    }

    private final ExecutorService thread;
    private Painter painter;

    private HeldPainter(String device) {
        thread = Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("jdiffusion-" + device)
                .factory());
    }

    /** The painter for this key; it is opened when it is first asked to do something. */
    static HeldPainter of(Key key) {
        return HELD.computeIfAbsent(key, wanted -> new HeldPainter(wanted.device()));
    }

    /**
     * Does something with the painter, on its thread. After a failure of the device the painter is given up, and the
     * next task opens a new one.
     */
    void with(Key key, Opening opening, Consumer<Painter> work) {
        Future<?> result = thread.submit(() -> {
            if (painter == null) {
                painter = opening.open(key.settings(), key.device(), key.threads());
            }
            work.accept(painter);
        });
        try {
            result.get();
        } catch (InterruptedException e) {
            // Drawing ends at the next step.
            result.cancel(true);
            Thread.currentThread().interrupt();
            throw new IllegalStateException("the task was stopped", e);
        } catch (ExecutionException e) {
            if (e.getCause() instanceof DeviceException && HELD.remove(key, this)) {
                shutDown();
            }
            switch (e.getCause()) {
                case RuntimeException known -> throw known;
                case Error error -> throw error;
                default -> throw new IllegalStateException(e.getCause());
            }
        }
    }

    private void shutDown() {
        thread.submit(() -> {
            if (painter != null) {
                painter.close();
                painter = null;
            }
        });
        thread.shutdown();
    }

    /** A picture that is being drawn is waited for, but not for long: the system takes all back anyway. */
    private static void closeAll() {
        HELD.values().forEach(HeldPainter::shutDown);
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_TO_CLOSE);
        try {
            for (HeldPainter held : HELD.values()) {
                if (!held.thread.awaitTermination(end - System.nanoTime(), TimeUnit.NANOSECONDS)) {
                    return;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
