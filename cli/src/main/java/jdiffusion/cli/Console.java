package jdiffusion.cli;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Locale;
import java.util.function.Supplier;
import jdiffusion.model.family.Progress;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** What a person sees of a run, on the error stream: lines, and on a terminal a bar with the time left. */
final class Console implements Progress, AutoCloseable {
    /** The launcher sets this to the terminal's columns when the error stream is one. */
    static final String COLUMNS = "jdiffusion.columns";
    private static final double MEBI = 1 << 20;

    private final PrintStream err;
    private final boolean previews;
    private final int columns;
    private final ExitHook onExit = new ExitHook("interrupted", this::interrupted);
    private ProgressBar bar;

    /** @param previews whether files beside the pictures show how far they are */
    Console(PrintStream err, boolean previews) {
        this.err = err;
        this.previews = previews;
        this.columns = Integer.getInteger(COLUMNS, 0);
    }

    void line(String text) {
        err.println(oneLine(text));
    }

    /** A text in which a name's line breaks and other control characters are spaces. */
    static String oneLine(Object text) {
        return text.toString().replaceAll("\\p{Cc}+", " ");
    }

    @Override
    public void note(String line) {
        err.println("note: " + line);
    }

    @Override
    public void started(Stage stage, int units) {
        if (units > 0 && columns > 0) {
            bar = new ProgressBarBuilder().setTaskName("drawing").setInitialMax(units).setUpdateIntervalMillis(200)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setConsumer(new ConsoleProgressBarConsumer(err, columns)).build();
        }
    }

    @Override
    public void step(int done, Supplier<float[]> latents) {
        if (bar != null) {
            bar.stepTo(done);
        }
    }

    @Override
    public void finished(Stage stage, Duration time, long bytes) {
        endBar();
        err.printf(Locale.ROOT, "%-13s %8.2f s %10.1f MiB%n", name(stage), time.toNanos() / 1e9, bytes / MEBI);
    }

    static String name(Stage stage) {
        return stage.name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }

    private void interrupted() {
        err.println((bar == null ? "" : "\n") + "jdiffusion: interrupted; an unfinished picture is not kept"
                + (previews ? ", its preview is" : ""));
    }

    @Override
    public void close() {
        endBar();
        onExit.close();
    }

    private void endBar() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }
}
