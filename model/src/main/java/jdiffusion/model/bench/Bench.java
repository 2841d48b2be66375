package jdiffusion.model.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.profile.Profile.Event;
import jdiffusion.kernels.profile.ProfilingBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.stage.Stages;

/**
 * Measures cases on a device. Each runs for a while before its runs count; before each run that counts the peak is
 * measured, so that both see the same machine.
 */
public final class Bench {
    /** What is shorter is done as often as fills this time. */
    private static final double LEAST_SECONDS = 0.1;
    /** Runs that take longer are announced. */
    private static final double LONG_SECONDS = 2;

    private final Backend backend;
    private final Settings settings;
    private final Consumer<String> progress;

    /**
     * @param progress told what is being done
     */
    public Bench(Backend backend, Settings settings, Consumer<String> progress) {
        this.backend = backend;
        this.settings = settings;
        this.progress = progress;
    }

    public <M> Measurement measure(Case<M> one) {
        progress.accept(one.part() + " " + one.what());
        List<Event> events = new ArrayList<>();
        StageMemory[] memory = new StageMemory[1];
        Stopwatch watch = Stages.run(backend, one.weights().get(), false, one.component(),
                one.component().option(), one.loader(),
                (Stage<M> stage) -> {
                    if (stage.counting()) {
                        events.addAll(count(one, stage));
                        return null;
                    }
                    return time(one, stage);
                }, used -> memory[0] = used);
        double share = one.scale() / one.times();
        double flops = events.stream().mapToDouble(event -> event.operation().flops()).sum();
        double bytes = events.stream().mapToDouble(event -> event.operation().bytes()).sum();
        return new Measurement(one.part(), one.what(), watch.seconds().stream().map(s -> s * share).toList(),
                flops * share, bytes * share, watch.peaks(), watch.cores(), memory[0].workspace(), 0);
    }

    /** What a run does, found by going through it without computing anything. */
    private static <M> List<Event> count(Case<M> one, Stage<M> stage) {
        ProfilingBackend counting = new ProfilingBackend(stage.compute().backend());
        Runnable run = one.prepare().prepare(stage.model(), new Compute(counting, stage.compute().workspace()));
        int before = counting.profile().events().size();
        run.run();
        List<Event> events = counting.profile().events();
        return events.subList(before, events.size());
    }

    private <M> Stopwatch time(Case<M> one, Stage<M> stage) {
        Runnable run = one.prepare().prepare(stage.model(), stage.compute());
        double last;
        long start = System.nanoTime();
        do {
            last = Stopwatch.seconds(backend, run);
        } while ((System.nanoTime() - start) * 1e-9 < settings.warmUp());
        int times = (int) Math.ceil(LEAST_SECONDS / last);
        Stopwatch watch = new Stopwatch(backend);
        for (int i = 1; i <= settings.runs(); i++) {
            if (last > LONG_SECONDS) {
                progress.accept(one.part() + " " + one.what() + ": run " + i + " of " + settings.runs());
            }
            watch.run(times, () -> {
                for (int time = 0; time < times; time++) {
                    run.run();
                }
            });
        }
        return watch;
    }
}
