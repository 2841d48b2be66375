package jdiffusion.spark;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.Consumer;
import jdiffusion.batch.BatchRun;
import jdiffusion.batch.Painter;
import org.apache.spark.sql.Row;

/**
 * The result for the rows of a task, drawn as it is read: a window of rows at a time, so that memory does not grow with
 * the table.
 */
final class PaintedRows implements Iterator<Row> {
    private final Iterator<Row> rows;
    private final Manifest manifest;
    private final HadoopStore store;
    private final Settings settings;
    private final String host;
    private final Consumer<Consumer<Painter>> turn;
    private final Runnable check;
    private final Deque<Row> ready = new ArrayDeque<>();

    /**
     * @param store null for none
     * @param turn  does something with the painter, on its thread
     * @param check throws when the task is to stop
     */
    PaintedRows(Iterator<Row> rows, Manifest manifest, HadoopStore store, Settings settings, String host,
            Consumer<Consumer<Painter>> turn, Runnable check) {
        this.rows = rows;
        this.manifest = manifest;
        this.store = store;
        this.settings = settings;
        this.host = host;
        this.turn = turn;
        this.check = check;
    }

    @Override
    public boolean hasNext() {
        while (ready.isEmpty() && rows.hasNext()) {
            check.run();
            // Spark wants its rows read on the task's own thread.
            List<Row> some = new ArrayList<>();
            while (some.size() < settings.window() && rows.hasNext()) {
                some.add(rows.next());
            }
            turn.accept(painter -> draw(painter, some));
        }
        return !ready.isEmpty();
    }

    @Override
    public Row next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return ready.remove();
    }

    private void draw(Painter painter, List<Row> some) {
        Map<jdiffusion.batch.Row, Row> from = new IdentityHashMap<>();
        List<jdiffusion.batch.Row> read = new ArrayList<>();
        for (Row row : some) {
            read.add(manifest.read(row));
            from.put(read.getLast(), row);
        }
        WindowStore pictures = new WindowStore(store, settings.column());
        String device = painter.device();
        new BatchRun(painter, pictures, false).run(read.iterator(), (_, _, _) -> null, outcome ->
                ready.add(manifest.row(from.get(outcome.row()), outcome, host, device, pictures.file(outcome))),
                () -> { });
    }
}
