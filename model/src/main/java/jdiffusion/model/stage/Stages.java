package jdiffusion.model.stage;

import java.util.EnumMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * Runs the components of a model on a device, each in memory of exactly the size that it needs: the same work is done
 * first on a backend that only counts. So a plan is the first half of a run, and cannot differ from it.
 */
public final class Stages implements AutoCloseable {
    private final ModelFiles files;
    private final Backend backend;
    private final MemoryPolicy policy;
    /** Behind the names of components on the second device; empty on the first. */
    private final String suffix;
    private final Stages second;
    private final Map<Component, Loaded<?>> held = new EnumMap<>(Component.class);
    private Watch watch = Watch.NONE;

    public Stages(ModelFiles files, Backend backend, MemoryPolicy policy) {
        this(files, backend, null, policy);
    }

    /** @param second a device of the same kind, which may help with the denoiser; null for none */
    public Stages(ModelFiles files, Backend backend, Backend second, MemoryPolicy policy) {
        this(files, backend, policy, "", second == null ? null
                : new Stages(files, second, policy, " (second device)", null));
    }

    private Stages(ModelFiles files, Backend backend, MemoryPolicy policy, String suffix, Stages second) {
        this.files = files;
        this.backend = backend;
        this.policy = policy;
        this.suffix = suffix;
        this.second = second;
    }

    /** Those of the second device; null where there is none. */
    public Stages second() {
        return second;
    }

    public ModelFiles files() {
        return files;
    }

    public Backend backend() {
        return backend;
    }

    public MemoryPolicy policy() {
        return policy;
    }

    /** Whether nothing here is computed, and all runs are counts of memory. */
    public boolean counting() {
        return backend instanceof CountingBackend;
    }

    /** Does something that somebody looks at. */
    public <T> T watched(Watch who, Supplier<T> work) {
        if (second != null) {
            throw new InputException("probes and interventions look at one device; leave the second one out");
        }
        Watch before = watch;
        watch = who;
        try {
            return work.get();
        } finally {
            watch = before;
        }
    }

    /** A component with its weights on the device, and its counting twin. */
    private static final class Loaded<M> implements AutoCloseable {
        private final ModelFiles.Open open;
        private final CountingBackend counter;
        private final M counted;
        private final Placement placement;
        private final M model;

        Loaded(ModelFiles.Open open, Backend backend, boolean streaming, Stage.Loader<M> loader) {
            this.open = open;
            counter = CountingBackend.of(backend);
            Placement.Size size;
            try (Placement measuring = counter.measuringPlacement(streaming)) {
                counted = loader.load(Weights.of(open.tensors(), measuring), open.config());
                size = measuring.size();
            }
            placement = backend.newPlacement(size);
            try {
                model = loader.load(Weights.of(open.tensors(), placement), open.config());
            } catch (RuntimeException | Error e) {
                placement.close();
                throw e;
            }
        }

        @Override
        public void close() {
            try (open; placement) {
                // Closed from right to left, each also when the other fails.
            }
        }
    }

    /**
     * Does a component's work, once to count and once for real. The component is there afterwards only if nothing is
     * offloaded.
     *
     * @param report told of the memory that it took
     */
    public <M, T> T run(Component component, Stage.Loader<M> loader, Stage.Work<M, T> work,
                        Consumer<StageMemory> report) {
        String name = files.architecture().folder(component) + suffix;
        try (var _ = backend.scope(name)) {
            if (policy.offload() == Offload.NONE) {
                return run(backend, watch, component, name, label(component, name), held(component, loader), work,
                        report);
            }
            return run(backend, watch, open(component), policy.streams(component), component, name, loader, work,
                    report);
        }
    }

    /**
     * A network in a component's place whose files are not the model's.
     *
     * @param name  in plans and profiles
     * @param label in messages
     */
    public record Other(Component component, String name, String label, Supplier<ModelFiles.Open> files) {
    }

    /** The same with another network, which is there for this run alone; it may be in the midst of another run. */
    public <M, T> T run(Other other, Stage.Loader<M> loader, Stage.Work<M, T> work, Consumer<StageMemory> report) {
        try (var _ = backend.scope(other.name());
                Loaded<M> loaded = load(backend, other.files().get(), false, loader)) {
            return run(backend, Watch.NONE, other.component(), other.name(), other.label(), loaded, work, report);
        }
    }

    private ModelFiles.Open open(Component component) {
        return counting() ? files.inspect(component) : files.open(component);
    }

    /**
     * The same with files of one component alone, which are closed in the end.
     *
     * @param streaming whether the component's blocks pass through two slots of a device's memory
     * @param name      what it is called in messages
     */
    public static <M, T> T run(Backend backend, ModelFiles.Open open, boolean streaming, Component component,
                               String name, Stage.Loader<M> loader, Stage.Work<M, T> work,
                               Consumer<StageMemory> report) {
        return run(backend, Watch.NONE, open, streaming, component, name, loader, work, report);
    }

    private static <M, T> T run(Backend backend, Watch watch, ModelFiles.Open open, boolean streaming,
                                Component component, String name, Stage.Loader<M> loader, Stage.Work<M, T> work,
                                Consumer<StageMemory> report) {
        try (Loaded<M> loaded = load(backend, open, streaming, loader)) {
            return run(backend, watch, component, name, label(component, name), loaded, work, report);
        }
    }

    private static String label(Component component, String name) {
        return component == Component.VAE ? "VAE" : name;
    }

    /** Bytes of temporaries that some work takes. */
    private static <M> long count(Backend backend, Trace trace, String said, Loaded<M> loaded,
                                  Stage.Work<M, ?> work) {
        try (Workspace measuring = loaded.counter.measuringWorkspace(); var _ = backend.scope("count")) {
            work.run(new Stage<>(said, loaded.counted, new Compute(loaded.counter, measuring, trace),
                    loaded.open.tensors()));
            return measuring.peak();
        }
    }

    private static <M, T> T run(Backend backend, Watch watch, Component component, String name, String said,
                                Loaded<M> loaded, Stage.Work<M, T> work, Consumer<StageMemory> report) {
        long peakBefore = backend.memory().peak();
        backend.memory().restart();
        long bytes = count(backend, watch.of(component, loaded.counter), said, loaded, work);
        try (Workspace workspace = newWorkspace(backend, bytes)) {
            T result = work.run(new Stage<>(said, loaded.model, new Compute(backend, workspace,
                    watch.of(component, backend)), loaded.open.tensors()));
            Placement.Size size = loaded.placement.size();
            long mapped = loaded.counter.isDevice() ? 0 : loaded.open.tensors().byteSize();
            report.accept(new StageMemory(component, name, mapped, size.resident(), 2 * size.slots(),
                    bytes, backend.memory().peak(), 0));
            return result;
        } finally {
            backend.memory().resume(peakBefore);
        }
    }

    private static Workspace newWorkspace(Backend backend, long bytes) {
        try (var _ = backend.scope("workspace")) {
            return backend.newWorkspace(bytes);
        }
    }

    /** A component that stays, with its weights and with memory for the same work again and again. */
    public static final class Standing<M> implements AutoCloseable {
        private final Backend backend;
        private final String name;
        private final Loaded<M> loaded;
        private final Workspace workspace;
        private final Stage<M> stage;
        private final long bytes;

        private Standing(Backend backend, String name, String said, Loaded<M> loaded, Stage.Work<M, ?> work) {
            this.backend = backend;
            this.name = name;
            this.loaded = loaded;
            long temporaries = count(backend, Trace.NONE, said, loaded, work);
            this.bytes = temporaries + loaded.placement.size().total();
            this.workspace = newWorkspace(backend, temporaries);
            this.stage = new Stage<>(said, loaded.model, new Compute(backend, workspace), loaded.open.tensors());
        }

        /** Does some of the work that the memory was counted for. */
        public <T> T run(Stage.Work<M, T> work) {
            try (var _ = backend.scope(name)) {
                return work.run(stage);
            }
        }

        /** Bytes of weights, mapped files aside, and of temporaries. */
        public long bytes() {
            return bytes;
        }

        @Override
        public void close() {
            try (loaded; workspace) {
                // Closed from right to left, each also when the other fails.
            }
        }
    }

    /**
     * Sets a component up to stay, whatever the policy says of offloading.
     *
     * @param work all that will be done at a time, of which memory is counted
     */
    public <M> Standing<M> stand(Component component, Stage.Loader<M> loader, Stage.Work<M, ?> work) {
        String name = files.architecture().folder(component);
        return stand(name, label(component, name), () -> open(component), loader, work);
    }

    /** The same with a network in a component's place. */
    public <M> Standing<M> stand(Other other, Stage.Loader<M> loader, Stage.Work<M, ?> work) {
        return stand(other.name(), other.label(), other.files(), loader, work);
    }

    private <M> Standing<M> stand(String name, String said, Supplier<ModelFiles.Open> opening,
                                  Stage.Loader<M> loader, Stage.Work<M, ?> work) {
        try (var _ = backend.scope(name)) {
            Loaded<M> loaded = load(backend, opening.get(), false, loader);
            try {
                return new Standing<>(backend, name, said, loaded, work);
            } catch (RuntimeException | Error e) {
                loaded.close();
                throw e;
            }
        }
    }

    /** Whether a component's work would keep within the budget. */
    public <M, T> boolean fits(Component component, Stage.Loader<M> loader, Stage.Work<M, T> work) {
        Loaded<?> own = held.get(component);
        return fits(own == null ? 0 : own.placement.size().total(), (twin, report) -> run(twin, watch,
                files.inspect(component), policy.streams(component), component, files.architecture().folder(component),
                loader, work, report));
    }

    /** The same of another network's. */
    public <M, T> boolean fits(Other other, Stage.Loader<M> loader, Stage.Work<M, T> work) {
        return fits(0, (twin, report) -> run(twin, other.files().get(), false, other.component(), other.name(),
                loader, work, report));
    }

    /** @param own bytes of what stays on the device and is part of the run */
    private boolean fits(long own, BiConsumer<CountingBackend, Consumer<StageMemory>> run) {
        CountingBackend twin = CountingBackend.of(backend);
        long budget = policy.budget(twin.isDevice());
        if (budget == Long.MAX_VALUE) {
            return true;
        }
        long others = policy.offload() != Offload.NONE ? 0 : backend.memory().live() - own;
        long[] peak = {0};
        run.accept(twin, memory -> peak[0] = memory.peak());
        return others + peak[0] <= budget;
    }

    /**
     * Brings a component to the device to stay, if nothing is offloaded. Those that a run needs are brought before its
     * first stage, so that every stage has as much memory left as in the next run.
     */
    public void hold(Component component, Stage.Loader<?> loader) {
        if (policy.offload() == Offload.NONE) {
            held(component, loader);
        }
    }

    @SuppressWarnings("unchecked")
    private <M> Loaded<M> held(Component component, Stage.Loader<M> loader) {
        Loaded<?> loaded = held.get(component);
        if (loaded == null) {
            loaded = load(backend, open(component), policy.streams(component), loader);
            held.put(component, loaded);
        }
        return (Loaded<M>) loaded;
    }

    private static <M> Loaded<M> load(Backend backend, ModelFiles.Open open, boolean streaming,
                                      Stage.Loader<M> loader) {
        try (var _ = backend.scope("load")) {
            return new Loaded<>(open, backend, streaming, loader);
        } catch (RuntimeException | Error e) {
            open.close();
            throw e;
        }
    }

    /** Lets go of all components that stayed, on both devices. */
    @Override
    public void close() {
        held.values().forEach(Loaded::close);
        held.clear();
        if (second != null) {
            second.close();
        }
    }
}
