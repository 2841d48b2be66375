package jdiffusion.kernels.cpu;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.machine.Pages;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;

/**
 * Leaves everything where the file is mapped. While a block computes, the system is asked to read the next one's
 * pages: where a file is not in memory, or memory does not hold all of it, the disk then works at the same time.
 */
final class MappedPlacement implements Placement {
    private final List<List<MemorySegment>> blocks = new ArrayList<>();
    private List<MemorySegment> block;
    private long bytes;

    @Override
    public Tensor tensor(Tensor stored) {
        bytes += stored.byteSize();
        // Files are seen as plain native memory; what was decoded is an array.
        if (block != null && stored.data().isNative()) {
            block.add(stored.data());
        }
        return stored;
    }

    @Override
    public Tensor kernels(Tensor stored) {
        return tensor(stored);
    }

    @Override
    public int beginBlock() {
        block = new ArrayList<>();
        blocks.add(block);
        return blocks.size() - 1;
    }

    @Override
    public void endBlock() {
        block = null;
    }

    @Override
    public void enter(int number) {
        next(number).forEach(Pages::willRead);
    }

    /** What will be read after a block; after the last one usually comes the first again. */
    List<MemorySegment> next(int number) {
        return blocks.get((number + 1) % blocks.size());
    }

    @Override
    public long byteSize() {
        return bytes;
    }

    @Override
    public void close() {
        // The mapping belongs to the checkpoint.
    }
}
