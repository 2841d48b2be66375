package jdiffusion.kernels.patchify;

import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.tensor.Tensor;

/**
 * Channels-first images cut into square patches, one a row, and put together again. One item of work is a strip: all
 * patches that lie side by side.
 */
public final class CpuPatchify {
    private final Cpu cpu;

    public CpuPatchify(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#patchify}. */
    public void patchify(Tensor x, int patch, Tensor out) {
        Operands.float32OrBf16("patchify", x, out);
        check("patchify", x, patch, out, x, out);
        int c = x.shape().dim(1);
        int width = x.cols();
        int strips = x.shape().dim(2) / patch;
        int strip = c * patch * width;
        cpu.workers().run(x.shape().dim(0) * strips, (item, worker) -> {
            float[] lines = cpu.local(worker, Buffer.ROW, strip);
            float[] patches = cpu.local(worker, Buffer.TILE, strip);
            for (int k = 0; k < c; k++) {
                Elements.read(x, firstLine(item, k, c, strips) * patch * width, patch * width, lines,
                        k * patch * width);
            }
            cut(lines, c, patch, width, patches);
            Elements.write(patches, 0, out, (long) item * strip, strip);
        });
    }

    /** See {@link jdiffusion.kernels.Backend#unpatchify}. */
    public void unpatchify(Tensor x, int patch, Tensor out) {
        Operands.float32OrBf16("unpatchify", x, out);
        check("unpatchify", out, patch, x, x, out);
        int c = out.shape().dim(1);
        int width = out.cols();
        int strips = out.shape().dim(2) / patch;
        int strip = c * patch * width;
        cpu.workers().run(out.shape().dim(0) * strips, (item, worker) -> {
            float[] patches = cpu.local(worker, Buffer.ROW, strip);
            float[] lines = cpu.local(worker, Buffer.TILE, strip);
            Elements.read(x, (long) item * strip, strip, patches, 0);
            join(patches, c, patch, width, lines);
            for (int k = 0; k < c; k++) {
                Elements.write(lines, k * patch * width, out, firstLine(item, k, c, strips) * patch * width,
                        patch * width);
            }
        });
    }

    static void check(String operation, Tensor image, int patch, Tensor rows, Tensor x, Tensor out) {
        Operands.activations(operation, x, out);
        boolean fits = patch > 0 && image.shape().rank() == 4 && rows.shape().rank() == 3
                && image.shape().dim(2) % patch == 0 && image.cols() % patch == 0
                && rows.shape().dim(0) == image.shape().dim(0)
                && rows.shape().dim(1) == (image.shape().dim(2) / patch) * (image.cols() / patch)
                && rows.cols() == image.shape().dim(1) * patch * patch;
        if (!fits) {
            throw Operands.mismatch(operation, "an image and its patches of side " + patch, x, out);
        }
    }

    /** Where channel {@code k} of strip {@code item} of the batch starts, in multiples of a strip's height. */
    private static long firstLine(int item, int k, int c, int strips) {
        return ((long) (item / strips) * c + k) * strips + item % strips;
    }

    /** lines [c, patch, width] to patches [width / patch, c, patch, patch]. */
    private static void cut(float[] lines, int c, int patch, int width, float[] patches) {
        int to = 0;
        for (int left = 0; left < width; left += patch) {
            for (int line = 0; line < c * patch; line++) {
                int from = line * width + left;
                for (int i = 0; i < patch; i++) {
                    patches[to++] = lines[from + i];
                }
            }
        }
    }

    /** patches [width / patch, patch, patch, c] to lines [c, patch, width]. */
    private static void join(float[] patches, int c, int patch, int width, float[] lines) {
        int from = 0;
        for (int left = 0; left < width; left += patch) {
            for (int y = 0; y < patch; y++) {
                for (int x = left; x < left + patch; x++) {
                    for (int k = 0; k < c; k++) {
                        lines[(k * patch + y) * width + x] = patches[from++];
                    }
                }
            }
        }
    }
}
