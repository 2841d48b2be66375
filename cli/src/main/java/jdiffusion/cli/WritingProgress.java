package jdiffusion.cli;

import java.io.PrintStream;
import java.util.Locale;
import jdiffusion.model.convert.ExportProgress;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** What a person sees while a model is written: on a terminal a bar, in the end the size and the time. */
final class WritingProgress implements ExportProgress, AutoCloseable {
    private static final long MEBI = 1 << 20;

    private final PrintStream err;
    private final long start = System.nanoTime();
    private ProgressBar bar;
    private long done;

    WritingProgress(PrintStream err) {
        this.err = err;
    }

    @Override
    public void started(long bytes) {
        int columns = Integer.getInteger(Console.COLUMNS, 0);
        if (columns > 0) {
            bar = new ProgressBarBuilder().setTaskName("writing").setInitialMax(bytes).setUnit(" MiB", MEBI)
                    .setUpdateIntervalMillis(200).setStyle(ProgressBarStyle.ASCII)
                    .setConsumer(new ConsoleProgressBarConsumer(err, columns)).build();
        }
    }

    @Override
    public void written(long bytes) {
        done += bytes;
        if (bar != null) {
            bar.stepTo(done);
        }
    }

    @Override
    public void note(String line) {
        err.println("note: " + line);
    }

    void finished(String what) {
        close();
        double seconds = (System.nanoTime() - start) / 1e9;
        err.printf(Locale.ROOT, "wrote %s: %.1f MiB of tensors in %.1f s%n", Console.oneLine(what),
                (double) done / MEBI, seconds);
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
