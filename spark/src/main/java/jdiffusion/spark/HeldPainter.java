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
 * The painter of this JVM and one device. It is held for the JVM's life, so that a model is loaded once for all tasks,
 * and replaced when other settings are asked for, so that two models never share the memory. It runs on a thread of its
 * own; tasks that want the same device wait for each other.
 */
final class HeldPainter {
    /**
     * What a painter can be used for.
     *
     * @param threads of the CPU
     */
    record Key(Settings settings, String device, int threads) {
    }

    private static final long SECONDS_TO_CLOSE = 10;
    private static final Map<String, HeldPainter> HELD = new ConcurrentHashMap<>();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(HeldPainter::closeAll, "jdiffusion-close"));
    }

    private final ExecutorService thread;
    private Key open;
    private Painter painter;

    private HeldPainter(String device) {
        thread = Executors.newSingleThreadExecutor(Thread.ofPlatform().daemon().name("jdiffusion-" + device)
                .factory());
    }

    /**
     * Does something with the painter for a key, on its thread. After a failure of the device the painter is given up,
     * and the next task opens a new one.
     */
    static void with(Key key, Opening opening, Consumer<Painter> work) {
        HeldPainter held = HELD.computeIfAbsent(key.device(), HeldPainter::new);
        Future<?> result = held.thread.submit(() -> held.work(key, opening, work));
        try {
            result.get();
        } catch (InterruptedException e) {
            // Drawing ends at the next step.
            result.cancel(true);
            Thread.currentThread().interrupt();
            throw new IllegalStateException("the task was stopped", e);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException known -> throw known;
                case Error error -> throw error;
                default -> throw new IllegalStateException(e.getCause());
            }
        }
    }

    private void work(Key key, Opening opening, Consumer<Painter> work) {
        if (!key.equals(open)) {
            close();
            painter = opening.open(key.settings(), key.device(), key.threads());
            open = key;
        }
        try {
            work.accept(painter);
        } catch (DeviceException e) {
            try {
                close();
            } catch (DeviceException again) {
                e.addSuppressed(again);
            }
            throw e;
        }
    }

    private void close() {
        Painter old = painter;
        painter = null;
        open = null;
        if (old != null) {
            old.close();
        }
    }

    /** A picture that is being drawn is waited for, but not for long: the system takes all back anyway. */
    private static void closeAll() {
        HELD.values().forEach(held -> {
            held.thread.submit(held::close);
            held.thread.shutdown();
        });
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
