package jdiffusion.kernels.conv2d;

import static jdiffusion.kernels.cpu.Simd.LANES;
import static jdiffusion.kernels.machine.AmxPanels.DEPTH;
import static jdiffusion.kernels.machine.AmxPanels.HALF_STEP_BYTES;
import static jdiffusion.kernels.machine.AmxPanels.PACKED_ROWS;
import static jdiffusion.kernels.machine.AmxPanels.SIDE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Workers;
import jdiffusion.kernels.machine.Pages;
import jdiffusion.kernels.machine.Parts;
import jdiffusion.tensor.Tensor;

/**
 * The kernels of a convolution, packed to be the right factor of {@link jdiffusion.kernels.machine.AmxPanels}: for each
 * set, panel of up to {@link #PANEL_BLOCKS} blocks of 32 output channels, and kernel row [part along k][block][step],
 * where a step holds as many {@link Parts} as the numbers need.
 *
 * <p>Kernels that cannot change and come a second time are kept from then on, as long as their tensor is in use, and
 * until all that are kept take {@link #MOST_KEPT} bytes: who decodes one picture does not pay for it in memory.
 */
final class KernelTiles {
    static final int PANEL_BLOCKS = 8;
    /** Steps of a part: 32 pixels of it are 32 KiB of the first-level cache. */
    private static final int PART_STEPS = 16;
    private static final int HALVES = SIDE / PACKED_ROWS;
    /** Words, each two numbers, of a row in a step. */
    private static final int STEP_WORDS = DEPTH / 2;
    private static final long MOST_KEPT = 256L << 20;

    private final Cpu cpu;
    private final KernelLanes lanes;
    private final Workers.Body packParts = this::packParts;
    private final Workers.Body packChunk = this::packChunk;
    private final List<Kept> kept = new ArrayList<>();

    private KernelRows kernels;
    private Parts parts;
    private int steps;
    private int partSteps;
    private int blocks;
    private int panelBlocks;
    private int chunks;
    private MemorySegment tiles;

    /** @param tiles null for kernels that came once */
    private record Kept(WeakReference<Tensor> weight, boolean doubled, MemorySegment tiles) {
        boolean is(KernelRows rows) {
            return weight.get() == rows.weight() && doubled == rows.doubled();
        }

        long bytes() {
            return tiles == null ? 0 : tiles.byteSize();
        }
    }

    KernelTiles(Cpu cpu) {
        this.cpu = cpu;
        lanes = new KernelLanes(cpu);
    }

    /** @param given with a multiple of 32 channels */
    MemorySegment pack(KernelRows given) {
        kernels = given;
        steps = given.side() * given.channels() / DEPTH;
        parts = Parts.of(cpu.precision().parts(), given.bits());
        partSteps = share(steps, PART_STEPS / parts.left());
        blocks = Math.ceilDiv(given.cout(), SIDE);
        panelBlocks = share(blocks, PANEL_BLOCKS);
        long bytes = given.sets() * panels() * panelBytes();
        Kept before = find();
        if (before != null && before.tiles != null) {
            tiles = before.tiles;
            return tiles;
        }
        boolean keep = before != null && kept.stream().mapToLong(Kept::bytes).sum() + bytes <= MOST_KEPT;
        tiles = keep ? Pages.large(bytes, Arena.ofAuto()) : cpu.sharedMemory(Buffer.B_PANEL, bytes);
        if (parts.left() > 1) {
            cpu.workers().run(given.sets() * blocks * HALVES, packParts);
        } else {
            chunks = Math.ceilDiv(given.channels(), KernelLanes.channels(given));
            cpu.workers().run(blocks * HALVES * chunks, packChunk);
        }
        if (keep) {
            kept.remove(before);
        }
        if (keep || before == null && given.weight().data().isReadOnly()) {
            kept.add(new Kept(new WeakReference<>(given.weight()), given.doubled(), keep ? tiles : null));
        }
        return tiles;
    }

    private Kept find() {
        kept.removeIf(one -> one.weight.get() == null);
        for (Kept one : kept) {
            if (one.is(kernels)) {
                return one;
            }
        }
        return null;
    }

    private static int share(int all, int most) {
        return Math.ceilDiv(all, Math.ceilDiv(all, most));
    }

    /** To be called when the tiles are not needed any more. */
    void end() {
        kernels = null;
        tiles = null;
    }

    int panels() {
        return Math.ceilDiv(blocks, panelBlocks);
    }

    /** Blocks of a panel. */
    int widths(int panel) {
        return Math.min(panelBlocks, blocks - panel * panelBlocks);
    }

    /** The first output channel of a panel. */
    int channel(int panel) {
        return panel * panelBlocks * SIDE;
    }

    Parts parts() {
        return parts;
    }

    /** Steps along k of a kernel's row, and of a part of it. */
    int steps() {
        return steps;
    }

    int partSteps() {
        return partSteps;
    }

    private long panelBytes() {
        return (long) kernels.side() * panelBlocks * steps * parts.stepBytes();
    }

    /** Where a part of a panel's kernel row begins. */
    long at(int set, int panel, int y, int step) {
        return ((long) set * panels() + panel) * panelBytes()
                + ((long) y * panelBlocks * steps + (long) widths(panel) * step) * parts.stepBytes();
    }

    /** Some input channels of the kernels of 16 output channels. */
    private void packChunk(int item, int worker) {
        int channel = item % chunks * KernelLanes.channels(kernels);
        int half = item / chunks % HALVES;
        int block = item / chunks / HALVES;
        int count = Math.min(KernelLanes.channels(kernels), kernels.channels() - channel);
        int side = kernels.side();
        int ofTap = count / 2 * PACKED_ROWS;
        float[] words = cpu.local(worker, Buffer.ROW, kernels.sets() * side * side * ofTap);
        for (int lane = 0; lane < PACKED_ROWS; lane += LANES) {
            lanes.pack(kernels, block * SIDE + half * PACKED_ROWS + lane, channel, worker, words, lane, PACKED_ROWS,
                    ofTap, side * side * ofTap);
        }
        int from = 0;
        for (int row = 0; row < kernels.sets() * side; row++) {
            for (int x = 0; x < side; x++) {
                for (int c = 0; c < count; c += DEPTH) {
                    int step = (x * kernels.channels() + channel + c) / DEPTH;
                    long to = ofBlock(row / side, row % side, block, step) + half * HALF_STEP_BYTES;
                    MemorySegment.copy(words, from, tiles, ValueLayout.JAVA_FLOAT, to, STEP_WORDS * PACKED_ROWS);
                    from += STEP_WORDS * PACKED_ROWS;
                }
            }
        }
    }

    /** Where a block has a step of a kernel's row. */
    private long ofBlock(int set, int y, int block, int step) {
        int panel = block / panelBlocks;
        int first = step / partSteps * partSteps;
        int count = Math.min(partSteps, steps - first);
        return at(set, panel, y, first)
                + ((long) (block - panel * panelBlocks) * count + step - first) * parts.stepBytes();
    }

    /** The kernels of 16 output channels of a set, split into parts. */
    private void packParts(int item, int worker) {
        int half = item % HALVES;
        int block = item / HALVES % blocks;
        int set = item / HALVES / blocks;
        int rows = kernels.side();
        int numbers = rows * rows * kernels.channels();
        long stride = (long) numbers * parts.right() * Short.BYTES;
        MemorySegment words = cpu.localMemory(worker, Buffer.ROW, PACKED_ROWS * stride);
        float[] kernel = cpu.local(worker, Buffer.ROW, cpu.products().padded(numbers));
        for (int r = 0; r < PACKED_ROWS; r++) {
            int channel = block * SIDE + half * PACKED_ROWS + r;
            if (channel < kernels.cout()) {
                kernels.read(cpu, set, channel, kernel, worker);
                cpu.products().amx().split(parts.right(), kernel, 0, numbers / DEPTH, words, r * stride);
            } else {
                words.asSlice(r * stride, stride).fill((byte) 0);
            }
        }
        for (int y = 0; y < rows; y++) {
            for (int step = 0; step < steps; step += partSteps) {
                int count = Math.min(partSteps, steps - step);
                cpu.products().amx().packColumns(words, (long) (y * steps + step) * parts.rightRowStepBytes(), stride,
                        count * parts.right(), tiles, ofBlock(set, y, block, step) + half * HALF_STEP_BYTES);
            }
        }
    }
}
