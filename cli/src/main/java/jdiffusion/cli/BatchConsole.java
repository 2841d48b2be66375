package jdiffusion.cli;

import java.io.PrintStream;
import java.nio.file.Path;
import java.util.Locale;
import jdiffusion.batch.BatchFollower;
import jdiffusion.batch.Outcome;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** What a person sees of a table that is drawn: rows that fail, on a terminal a bar with the time left, and a sum. */
final class BatchConsole implements BatchFollower, AutoCloseable {
    private final PrintStream err;
    private final ProgressBar bar;
    private final ExitHook onExit = new ExitHook("interrupted", this::interrupted);
    private long drawn;
    private long kept;
    private long failed;
    /** Several pictures of a row fail for one reason. */
    private String lastFault;

    /** @param total pictures in all */
    BatchConsole(PrintStream err, long total) {
        this.err = err;
        int columns = Integer.getInteger(Console.COLUMNS, 0);
        this.bar = columns == 0 ? null : new ProgressBarBuilder().setTaskName("drawing").setInitialMax(total)
                .setUpdateIntervalMillis(200).setStyle(ProgressBarStyle.ASCII).showSpeed()
                .setConsumer(new ConsoleProgressBarConsumer(err, columns)).build();
    }

    @Override
    public synchronized void drawn(Outcome outcome) {
        drawn++;
        step();
    }

    @Override
    public synchronized void kept(Outcome outcome) {
        kept++;
        step();
    }

    @Override
    public synchronized void failed(Outcome outcome) {
        failed++;
        String fault = "line " + outcome.row().line() + ": " + outcome.error();
        if (!fault.equals(lastFault)) {
            line(fault);
            lastFault = fault;
        }
        step();
    }

    private void step() {
        if (bar != null) {
            bar.step();
        }
    }

    synchronized void line(String text) {
        err.println((bar == null ? "" : "\r") + Console.oneLine(text));
    }

    synchronized long failures() {
        return failed;
    }

    synchronized long drawnCount() {
        return drawn;
    }

    synchronized long keptCount() {
        return kept;
    }

    /**
     * Says what was done.
     *
     * @param seconds of the whole run
     * @param drawing in which the model worked
     */
    synchronized void end(Path manifest, int tars, double seconds, double drawing) {
        if (bar != null) {
            bar.close();
        }
        err.printf(Locale.ROOT, "%d picture%s drawn, %d there before, %d failed, in %.2f s, %.2f s of them the model's"
                + " work%n", drawn, drawn == 1 ? "" : "s", kept, failed, seconds, drawing);
        err.println("wrote " + manifest + (tars == 0 ? "" : " and " + tars + " tar file" + (tars == 1 ? "" : "s")));
    }

    private void interrupted() {
        err.println("\njdiffusion: interrupted; the same command with --resume goes on");
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
        onExit.close();
    }
}
