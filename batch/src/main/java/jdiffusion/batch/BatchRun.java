package jdiffusion.batch;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import java.util.function.Supplier;
import jdiffusion.tensor.InputException;

/**
 * Draws the rows that an iterator gives, each picture once: what is in the store already, under the name that its
 * content gives it, is not drawn. Rows are taken in windows, within which pictures are drawn in any order and together;
 * outcomes come in the order of the rows. Files are made and written by a second thread while the next are drawn.
 */
public final class BatchRun {
    /** Pictures in a window. */
    private static final int WINDOW = 64;
    /** Windows that may wait to be written. */
    private static final int AHEAD = 2;

    private final Painter painter;
    private final PictureStore store;
    private final boolean strict;
    /** Pictures that are drawn and maybe not written yet, by their names. */
    private final Map<String, Future<Made>> pending = new HashMap<>();
    private long drawingNanos;

    /** One picture of a row on its way. */
    private static final class Unit {
        private final Row row;
        private final int image;
        private final Planned picture;
        private final String error;
        private final ObjectNode earlier;

        Unit(Row row, int image, Planned picture, String error, ObjectNode earlier) {
            this.row = row;
            this.image = image;
            this.picture = picture;
            this.error = error;
            this.earlier = earlier;
        }
    }

    /** What became of a name in a window. */
    private record Made(long bytes, double seconds, String error) {
    }

    /** Knows what earlier runs did. */
    @FunctionalInterface
    public interface Earlier {
        /** The manifest's line of a picture that an earlier run drew, if it stands; rows are asked for in order. */
        ObjectNode line(Row row, int image, Planned picture);
    }

    /**
     * @param strict whether the first row that cannot be planned ends the run
     */
    public BatchRun(Painter painter, PictureStore store, boolean strict) {
        this.painter = painter;
        this.store = store;
        this.strict = strict;
    }

    /** Nanoseconds so far in which pictures were drawn. */
    public long drawingNanos() {
        return drawingNanos;
    }

    /**
     * Draws all rows.
     *
     * @param outcomes told of each picture, in the order of the rows, by the writing thread
     * @param ended    called after each window's outcomes, by the same thread
     * @throws InputException when a file cannot be written, or with {@code strict} a row cannot be drawn
     */
    public void run(Iterator<Row> rows, Earlier earlier, Consumer<Outcome> outcomes, Runnable ended) {
        ExecutorService writer = Executors.newSingleThreadExecutor(Thread.ofPlatform().name("jdiffusion-writer")
                .factory());
        Semaphore free = new Semaphore(AHEAD);
        List<Future<?>> windows = new ArrayList<>();
        try {
            List<Unit> window = new ArrayList<>();
            while (rows.hasNext()) {
                Row row = rows.next();
                add(row, window, earlier);
                if (window.size() >= WINDOW) {
                    draw(window, writer, free, windows, outcomes, ended);
                    window = new ArrayList<>();
                }
            }
            draw(window, writer, free, windows, outcomes, ended);
            for (Future<?> one : windows) {
                await(one);
            }
        } finally {
            writer.shutdown();
            boolean interrupted = Thread.interrupted();
            writer.close();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void add(Row row, List<Unit> window, Earlier earlier) {
        int images;
        try {
            images = row.fault() == null ? painter.images(row) : 1;
        } catch (InputException e) {
            images = 1;
        }
        for (int image = 0; image < images; image++) {
            Unit unit = unit(row, image, earlier);
            if (strict && unit.error != null) {
                throw new InputException("line " + row.line() + ": " + unit.error);
            }
            window.add(unit);
        }
    }

    private Unit unit(Row row, int image, Earlier earlier) {
        try {
            if (row.fault() != null) {
                return new Unit(row, image, null, row.fault(), null);
            }
            Planned picture = painter.plan(row, image);
            return new Unit(row, image, picture, null, earlier.line(row, image, picture));
        } catch (InputException e) {
            return new Unit(row, image, null, e.getMessage(), null);
        }
    }

    private void draw(List<Unit> window, ExecutorService writer, Semaphore free, List<Future<?>> windows,
                      Consumer<Outcome> outcomes, Runnable ended) {
        Map<String, Future<Made>> made = new HashMap<>();
        Map<String, Planned> open = new LinkedHashMap<>();
        free.acquireUninterruptibly();
        pending.values().removeIf(Future::isDone);
        for (Unit unit : window) {
            Future<Made> written = unit.picture == null ? null : pending.get(unit.picture.name());
            if (written != null) {
                made.put(unit.picture.name(), written);
            } else if (unit.picture != null && unit.earlier == null && !store.has(unit.picture)) {
                open.putIfAbsent(unit.picture.name(), unit.picture);
            }
        }
        if (!open.isEmpty()) {
            long start = System.nanoTime();
            painter.draw(List.copyOf(open.values()), new Painter.Sink() {
                @Override
                public void drawn(Planned picture, Supplier<byte[]> file, long nanos) {
                    Future<Made> written = writer.submit(() ->
                            new Made(store.put(picture, file.get()), nanos / 1e9, null));
                    made.put(picture.name(), written);
                    pending.put(picture.name(), written);
                }

                @Override
                public void failed(Planned picture, String why) {
                    made.put(picture.name(), writer.submit(() -> new Made(0, 0, why)));
                }
            });
            drawingNanos += System.nanoTime() - start;
        }
        windows.removeIf(one -> {
            boolean done = one.isDone();
            if (done) {
                await(one);
            }
            return done;
        });
        windows.add(writer.submit(() -> {
            try {
                Set<String> told = new HashSet<>();
                for (Unit unit : window) {
                    outcomes.accept(outcome(unit, made, unit.picture != null
                            && (!open.containsKey(unit.picture.name()) || !told.add(unit.picture.name()))));
                }
                ended.run();
            } finally {
                free.release();
            }
        }));
    }

    /** @param again whether the picture is that of an equal row that was told of before */
    private Outcome outcome(Unit unit, Map<String, Future<Made>> made, boolean again) {
        if (unit.error != null) {
            return Outcome.failed(unit.row, unit.image, unit.picture, unit.error);
        }
        if (unit.earlier != null) {
            return new Outcome(unit.row, unit.image, unit.picture, null, 0, 0, null, unit.earlier);
        }
        Future<Made> future = made.get(unit.picture.name());
        if (future == null) {
            return new Outcome(unit.row, unit.image, unit.picture, store.place(unit.picture),
                    store.size(unit.picture), 0, null, null);
        }
        Made one = await(future);
        return one.error != null ? Outcome.failed(unit.row, unit.image, unit.picture, one.error)
                : new Outcome(unit.row, unit.image, unit.picture, store.place(unit.picture), one.bytes,
                        again ? 0 : one.seconds, null, null);
    }

    private static <T> T await(Future<T> future) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return future.get();
                } catch (InterruptedException e) {
                    interrupted = true;
                } catch (ExecutionException e) {
                    switch (e.getCause()) {
                        case RuntimeException cause -> throw cause;
                        case Error cause -> throw cause;
                        default -> throw new IllegalStateException(e.getCause());
                    }
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
