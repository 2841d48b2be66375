package jdiffusion.emulator;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import jdiffusion.emulator.exec.Block;
import jdiffusion.emulator.exec.CompiledKernel;
import jdiffusion.emulator.exec.Profile;
import jdiffusion.emulator.exec.Site;

/** Runs kernels. Launches may come from several threads; each returns when its grid is done. */
public final class Executor implements AutoCloseable {
    private final DeviceMemory memory;
    private final EmulatorOptions options;
    private final ExecutorService pool;
    private final Map<String, KernelCounters> counters = new TreeMap<>();

    /** An executor whose kernels may access what {@code memory} lists. */
    public Executor(DeviceMemory memory, EmulatorOptions options) {
        this.memory = memory;
        this.options = options;
        this.pool = Executors.newFixedThreadPool(options.threads(),
                Thread.ofPlatform().daemon().name("emulated-sm-", 0).factory());
    }

    public DeviceMemory memory() {
        return memory;
    }

    public EmulatorOptions options() {
        return options;
    }

    /**
     * Runs a grid to its end.
     *
     * @param dynamicShared bytes of dynamic shared memory per block
     * @param params the packed parameters, at least {@link PtxKernel#paramBytes()} bytes
     * @throws DeviceFault for the first fault; other blocks may have run or not
     */
    public void launch(PtxKernel kernel, Dim3 grid, Dim3 block, int dynamicShared, MemorySegment params) {
        launchBlocks(kernel, grid, block, dynamicShared, params, 0, grid.count());
    }

    /** Runs only the blocks {@code [first, first + count)} of a grid, in linear order with x fastest. */
    public void launchBlocks(PtxKernel kernel, Dim3 grid, Dim3 block, int dynamicShared, MemorySegment params,
            long first, long count) {
        checkLaunch(kernel, grid, block, dynamicShared, params);
        byte[] parameters = params.asSlice(0, kernel.paramBytes()).toArray(ValueLayout.JAVA_BYTE);
        var next = new AtomicLong(first);
        long end = first + count;
        int workers = Math.clamp(count, 1, options.threads());
        var failed = new AtomicReference<Throwable>();
        var tasks = new ArrayList<Future<?>>();
        Runnable work = () -> {
            try {
                runBlocks(kernel, grid, block, dynamicShared, parameters, next, end, failed);
            } catch (Throwable e) {
                failed.compareAndSet(null, e);
            }
        };
        for (int i = 1; i < workers; i++) {
            tasks.add(pool.submit(work));
        }
        work.run();
        for (Future<?> task : tasks) {
            await(task);
        }
        if (options.profile()) {
            synchronized (counters) {
                counters.computeIfAbsent(kernel.name(), KernelCounters::new).addLaunch(count);
            }
        }
        switch (failed.get()) {
            case null -> { }
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            case Throwable e -> throw new IllegalStateException(e);
        }
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

    private void runBlocks(PtxKernel kernel, Dim3 grid, Dim3 shape, int dynamicShared, byte[] parameters,
            AtomicLong next, long end, AtomicReference<Throwable> failed) {
        Profile profile = options.profile() ? new Profile(kernel.compiled()) : null;
        var block = new Block(kernel.compiled(), memory, grid, shape, dynamicShared, parameters, options.seed(),
                options.check(), profile);
        try {
            for (long i = next.getAndIncrement(); i < end && failed.get() == null; i = next.getAndIncrement()) {
                block.run(i);
            }
        } finally {
            if (profile != null) {
                collect(kernel.compiled(), profile);
            }
        }
    }

    private void collect(CompiledKernel kernel, Profile profile) {
        synchronized (counters) {
            KernelCounters total = counters.computeIfAbsent(kernel.name(), KernelCounters::new);
            for (int i = 0; i < kernel.blockSites().length; i++) {
                for (int site : kernel.blockSites()[i]) {
                    if (site >= 0) {
                        Site at = kernel.sites().get(site);
                        total.addLine(at.line(), at.text(), at.kind(), profile.blockCounts()[i], at.flops(),
                                profile.traffic()[site]);
                    }
                }
            }
        }
    }

    private static void checkLaunch(PtxKernel kernel, Dim3 grid, Dim3 block, int dynamicShared, MemorySegment params) {
        String wrong = grid.count() <= 0 || block.count() <= 0 || dynamicShared < 0
                ? "grid %s of blocks %s with %d bytes of shared memory".formatted(grid, block, dynamicShared)
                : block.count() > kernel.maxThreads()
                ? "block %s has more than the kernel's %d threads".formatted(block, kernel.maxThreads())
                : params.byteSize() < kernel.paramBytes()
                ? "%d bytes of parameters, the kernel has %d".formatted(params.byteSize(), kernel.paramBytes())
                : null;
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
