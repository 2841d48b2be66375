package jdiffusion.emulator;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import jdiffusion.emulator.KernelCounters.Line;
import jdiffusion.emulator.exec.Block;
import jdiffusion.emulator.exec.Cluster;
import jdiffusion.emulator.exec.CompiledKernel;
import jdiffusion.emulator.exec.Launch;
import jdiffusion.emulator.exec.Profile;
import jdiffusion.emulator.exec.Site;

/** Runs kernels. Launches may come from several threads; each returns when its grid is done. */
public final class Executor implements AutoCloseable {
    /** Blocks that can wait for each other, each on a thread of its own. */
    private static final int MOST_COOPERATIVE = 256;
    private static final int GRID_BARRIER_BYTES = 256;
    private static final ThreadFactory THREADS = Thread.ofPlatform().daemon().name("emulated-sm-", 0).factory();

    private final DeviceMemory memory;
    private final EmulatorOptions options;
    private final ExecutorService pool;
    private final Map<String, KernelCounters> counters = new TreeMap<>();
    private volatile Consumer<String> printer = System.out::print;
    private volatile Watcher watcher;
    private volatile boolean stopped;

    /** An executor whose kernels may access what {@code memory} lists. */
    public Executor(DeviceMemory memory, EmulatorOptions options) {
        this.memory = memory;
        this.options = options;
        this.pool = Executors.newFixedThreadPool(options.threads(),
                THREADS);
    }

    public DeviceMemory memory() {
        return memory;
    }

    public EmulatorOptions options() {
        return options;
    }

    /**
     * Where what kernels print goes, at the end of each launch, in the order of the blocks; at first standard output.
     */
    public void printer(Consumer<String> printer) {
        this.printer = printer;
    }

    /** Shows launches from now on to a watcher; null for nobody. With one worker thread, blocks run one by one. */
    public void watcher(Watcher shown) {
        this.watcher = shown;
    }

    /** Ends launches that are under way with a fault, as soon as a warp has run for long or waits. */
    public void stop() {
        stopped = true;
    }

    /**
     * Runs a grid to its end.
     *
     * @param dynamicShared bytes of dynamic shared memory per block
     * @param params the packed parameters, at least {@link PtxKernel#paramBytes()} bytes
     * @throws DeviceFault for the first fault; other blocks may have run or not
     */
    public void launch(PtxKernel kernel, Dim3 grid, Dim3 block, int dynamicShared, MemorySegment params) {
        launch(kernel, grid, block, null, dynamicShared, params);
    }

    /**
     * Runs only the blocks {@code [first, first + count)} of a grid, in linear order with x fastest, without clusters.
     */
    public void launchBlocks(PtxKernel kernel, Dim3 grid, Dim3 block, int dynamicShared, MemorySegment params,
            long first, long count) {
        checkLaunch(kernel, grid, block, null, dynamicShared, params);
        run(kernel, grid, block, null, dynamicShared, params, first, count);
    }

    /** As {@link #launch}, with clusters of that many blocks; null for those of the kernel, if it has any. */
    public void launch(PtxKernel kernel, Dim3 grid, Dim3 block, Dim3 cluster, int dynamicShared, MemorySegment params) {
        checkLaunch(kernel, grid, block, cluster, dynamicShared, params);
        Dim3 size = kernel.clusterOf(cluster);
        run(kernel, grid, block, size, dynamicShared, params, 0, Cluster.count(grid, size).count());
    }

    /** Runs some units of a grid, which are blocks, or clusters where there are any. */
    private void run(PtxKernel kernel, Dim3 grid, Dim3 block, Dim3 cluster, int dynamicShared, MemorySegment params,
            long first, long count) {
        byte[] parameters = params.asSlice(0, kernel.paramBytes()).toArray(ValueLayout.JAVA_BYTE);
        long blocks = cluster == null ? count : count * cluster.count();
        boolean cooperative = kernel.compiled().isCooperative();
        if (cooperative && blocks > MOST_COOPERATIVE) {
            throw new DeviceFault(DeviceFault.Kind.BAD_LAUNCH, ("a cooperative launch of %d blocks; at most %d can wait"
                    + " for each other").formatted(blocks, MOST_COOPERATIVE), kernel.name(), 0, "", null, -1);
        }
        int workers = cooperative ? (int) count : Math.clamp(count, 1, options.threads());
        var printed = new ConcurrentSkipListMap<Long, String>();
        var failed = new AtomicReference<Throwable>();
        var tasks = new ArrayList<Future<?>>();
        // Device memory in which the blocks of a cooperative launch count themselves.
        Arena arena = cooperative ? Arena.ofShared() : null;
        long gridBarrier = cooperative ? gridBarrier(arena) : 0;
        var launch = new Launch(kernel.compiled(), memory, grid, block, cluster, dynamicShared, parameters, gridBarrier,
                options.seed(), options.check());
        var next = new AtomicLong(first);
        Runnable work = () -> {
            try {
                runBlocks(launch, next, first + count, failed, printed);
            } catch (Throwable e) {
                failed.compareAndSet(null, e);
            }
        };
        ExecutorService workersOf = cooperative ? Executors.newCachedThreadPool(THREADS) : pool;
        try {
            for (int i = 1; i < workers; i++) {
                tasks.add(workersOf.submit(work));
            }
            work.run();
            for (Future<?> task : tasks) {
                await(task);
            }
        } finally {
            if (cooperative) {
                workersOf.shutdown();
                memory.remove(gridBarrier);
                arena.close();
            }
            printed.values().forEach(printer);
        }
        if (options.profile()) {
            synchronized (counters) {
                of(kernel.compiled()).addLaunch(blocks);
            }
        }
        switch (failed.get()) {
            case null -> { }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
    }

    private long gridBarrier(Arena arena) {
        MemorySegment segment = arena.allocate(GRID_BARRIER_BYTES, GRID_BARRIER_BYTES);
        memory.add(segment.address(), GRID_BARRIER_BYTES);
        return segment.address();
    }

    private static void await(Future<?> task) {
        try {
            task.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while a kernel runs", e);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        }
    }

    private void runBlocks(Launch launch, AtomicLong next, long end, AtomicReference<Throwable> failed,
            Map<Long, String> printed) {
        CompiledKernel kernel = launch.kernel();
        Profile profile = options.profile() ? new Profile(kernel) : null;
        BooleanSupplier stop = () -> stopped || failed.get() != null;
        LongConsumer unit;
        if (launch.cluster() != null || kernel.usesCluster()) {
            var cluster = new Cluster(launch, profile, stop);
            cluster.watch(watcher);
            unit = i -> cluster.run(i, (text, block) -> print(text, block, printed));
        } else {
            var block = new Block(launch, profile, stop);
            block.watch(watcher);
            unit = i -> {
                try {
                    block.run(i);
                } finally {
                    print(block.takePrinted(), i, printed);
                }
            };
        }
        try {
            for (long i = next.getAndIncrement(); i < end && failed.get() == null; i = next.getAndIncrement()) {
                unit.accept(i);
            }
        } finally {
            if (profile != null) {
                collect(kernel, profile);
            }
        }
    }

    private static void print(String text, long block, Map<Long, String> printed) {
        if (!text.isEmpty()) {
            printed.put(block, text);
        }
    }

    private KernelCounters of(CompiledKernel kernel) {
        return counters.computeIfAbsent(kernel.name(), name -> new KernelCounters(name, kernel.sharedArrays()));
    }

    private void collect(CompiledKernel kernel, Profile profile) {
        synchronized (counters) {
            KernelCounters total = of(kernel);
            for (int i = 0; i < kernel.blockSites().length; i++) {
                Line last = null;
                for (int site : kernel.blockSites()[i]) {
                    if (site < 0) {
                        continue;
                    }
                    Site at = kernel.sites().get(site);
                    last = total.addLine(at.line(), at.text(), at.kind(), profile.blockCounts()[i], at.flops(),
                            profile.traffic()[site]);
                    last.lanes += profile.lanes()[i];
                    last.keepWorse(profile.worst()[site]);
                    Profile.Meetings met = profile.meetings()[site];
                    if (met != null) {
                        last.openings += met.openings;
                        last.instructionsToBarrier += met.instructions;
                        last.slowestToBarrier += met.slowest;
                    }
                }
                if (last != null) {
                    last.partings += profile.partings()[i];
                }
            }
        }
    }

    private static void checkLaunch(PtxKernel kernel, Dim3 grid, Dim3 block, Dim3 cluster, int dynamicShared,
            MemorySegment params) {
        String wrong = grid.count() <= 0 || block.count() <= 0 || dynamicShared < 0
                ? "grid %s of blocks %s with %d bytes of shared memory".formatted(grid, block, dynamicShared)
                : block.count() > kernel.maxThreads()
                ? "block %s has more than the kernel's %d threads".formatted(block, kernel.maxThreads())
                : params.byteSize() < kernel.paramBytes()
                ? "%d bytes of parameters, the kernel has %d".formatted(params.byteSize(), kernel.paramBytes())
                : kernel.clusterObstacle(grid, cluster);
        if (wrong != null) {
            throw new DeviceFault(DeviceFault.Kind.BAD_LAUNCH, wrong, kernel.name(), 0, "", null, -1);
        }
    }

    /** What was counted so far, by kernel name; empty unless the option profile is on. */
    public Map<String, KernelCounters> counters() {
        synchronized (counters) {
            return new TreeMap<>(counters);
        }
    }

    @Override
    public void close() {
        pool.shutdown();
    }
}
