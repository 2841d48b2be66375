package jdiffusion.kernels.conv2d;

import static jdiffusion.kernels.cpu.MicroKernel.NR;
import static jdiffusion.kernels.cpu.Simd.LANES;

import java.util.Arrays;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Transpose;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.cpu.Workers;

/**
 * The kernels of a convolution, packed to be the right operand of {@link jdiffusion.kernels.cpu.Products}: for each
 * strip of {@link #STRIP} output channels tiles [rows of the kernel][columns of it][channel in words][width] one after
 * the other, and before each room for its [width] biases.
 */
final class KernelPanels {
    /** Output channels of an item of work. */
    static final int STRIP = 64;

    private final Cpu cpu;
    private final KernelLanes lanes;
    private final Workers.Body pack = this::pack;

    private KernelRows kernels;
    private int chunks;
    private int cout;
    private int words;
    private float[] panels;

    KernelPanels(Cpu cpu) {
        this.cpu = cpu;
        lanes = new KernelLanes(cpu);
    }

    /** Packs into the buffer that stays valid for the call, without biases. */
    float[] pack(KernelRows given) {
        kernels = given;
        cout = given.cout();
        int numbers = given.side() * given.side() * given.channels();
        words = numbers / (cpu.products().inPairs() ? 2 : 1);
        int sets = given.sets();
        panels = cpu.shared(Buffer.B_PANEL, Math.multiplyExact(sets * strips(), STRIP * (words + 1)));
        chunks = Math.ceilDiv(given.channels(), KernelLanes.channels(given));
        cpu.workers().run(strips() * (STRIP / NR) * chunks, pack);
        kernels = null;
        return panels;
    }

    /**
     * Puts biases before the tiles.
     *
     * @param sets   of kernels
     * @param biases [strips * STRIP]
     */
    void bias(int sets, float[] biases) {
        for (int set = 0; set < sets; set++) {
            for (int strip = 0; strip < strips(); strip++) {
                int width = width(strip);
                for (int column = 0; column < columns(strip); column += width) {
                    System.arraycopy(biases, strip * STRIP + column, panels, at(set, strip, column) - width, width);
                }
            }
        }
    }

    int strips() {
        return strips(cout);
    }

    /** Strips of so many output channels. */
    static int strips(int channels) {
        return Math.ceilDiv(channels, STRIP);
    }

    /** Where the tile of the columns from a multiple of the strip's width on begins, behind its biases. */
    int at(int set, int strip, int column) {
        return ((set * strips() + strip) * STRIP + column) * (words + 1) + width(strip);
    }

    /** Columns of a strip that are there. */
    int columns(int strip) {
        return Math.min(STRIP, cout - strip * STRIP);
    }

    /** Columns of each of a strip's tiles. */
    int width(int strip) {
        return columns(strip) <= LANES ? LANES : NR;
    }

    /** Some channels of the kernels of a tile. */
    private void pack(int item, int worker) {
        int channel = item % chunks * KernelLanes.channels(kernels);
        int column = item / chunks % (STRIP / NR) * NR;
        int strip = item / chunks / (STRIP / NR);
        if (column >= columns(strip)) {
            return;
        }
        int width = width(strip);
        int ofTap = words / (kernels.side() * kernels.side()) * width;
        int ofSet = strips() * STRIP * (words + 1);
        int at = at(0, strip, column) + channel / (cpu.products().inPairs() ? 2 : 1) * width;
        for (int lane = 0; lane < width; lane += LANES) {
            lanes.pack(kernels, strip * STRIP + column + lane, channel, worker, panels, at + lane, width, ofTap, ofSet);
        }
    }
}
