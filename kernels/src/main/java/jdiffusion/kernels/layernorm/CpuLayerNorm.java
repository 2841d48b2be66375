package jdiffusion.kernels.layernorm;

import java.util.Arrays;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.kernels.cpu.Sums;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.Tensor;

/**
 * LayerNorm, Ba, Kiros and Hinton (2016), with the modulation of adaLN (Peebles and Xie 2023).
 *
 * <p>Mean first, then the variance about it, so a large common offset costs no accuracy. Weight, bias and modulation
 * become one gain and one offset for each channel and batch entry before the rows are visited.
 */
public final class CpuLayerNorm {
    private static final int FLOATS_PER_ITEM = 16384;

    private final Cpu cpu;

    public CpuLayerNorm(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#layerNorm}. */
    public void run(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps, Tensor out) {
        Operands.float32OrBf16("layerNorm", x, out);
        check(x, weight, bias, scale, shift, out);
        int rows = x.rows();
        int c = x.cols();
        int batch = scale == null ? 1 : scale.rows();
        float[] gain = cpu.shared(Buffer.ROW, batch * c);
        float[] offset = cpu.shared(Buffer.SUMS, batch * c);
        affine(weight, bias, scale, shift, batch, c, gain, offset);

        int rowsPerEntry = rows / batch;
        int perItem = Math.max(1, FLOATS_PER_ITEM / Math.max(1, c));
        cpu.workers().run(Math.ceilDiv(rows, perItem), (item, worker) -> {
            float[] v = cpu.local(worker, Buffer.ROW, batch * c);
            int end = Math.min(rows, (item + 1) * perItem);
            for (int r = item * perItem; r < end; r++) {
                // A row lies in v where its entry's gain lies in gain: with one index for all, C2 vectorises the loop.
                int from = r / rowsPerEntry * c;
                Elements.read(x, (long) r * c, c, v, from);
                normalize(v, from, c, eps, gain, offset);
                Elements.write(v, from, out, (long) r * c, c);
            }
        });
    }

    /** What every device needs: equal shapes, float32 modulation for equal runs of rows. */
    static void check(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, Tensor out) {
        Operands.equalRows("layerNorm", x, out);
        Operands.parameter("layerNorm", weight, x);
        Operands.parameter("layerNorm", bias, x);
        if (scale == null && shift == null) {
            return;
        }
        if (scale == null || shift == null) {
            throw new IllegalArgumentException("layerNorm needs both scale and shift or neither, got "
                    + scale + " and " + shift);
        }
        Operands.modulation("layerNorm", x, scale, shift);
    }

    /** (norm w + b) (1 + scale) + shift = norm gain + offset, for every batch entry. */
    private void affine(Tensor weight, Tensor bias, Tensor scale, Tensor shift, int batch, int c, float[] gain,
                        float[] offset) {
        for (int from = 0; from < batch * c; from += c) {
            fill(weight, 1, gain, from, c);
            fill(bias, 0, offset, from, c);
        }
        if (scale != null) {
            float[] s = cpu.shared(Buffer.TILE, batch * c);
            float[] t = cpu.shared(Buffer.STATISTICS, batch * c);
            Elements.read(scale, 0, batch * c, s, 0);
            Elements.read(shift, 0, batch * c, t, 0);
            for (int i = 0; i < batch * c; i++) {
                gain[i] *= 1 + s[i];
                offset[i] = offset[i] * (1 + s[i]) + t[i];
            }
        }
    }

    private static void fill(Tensor parameter, float absent, float[] to, int from, int c) {
        if (parameter == null) {
            Arrays.fill(to, from, from + c, absent);
        } else {
            Widen.run(parameter.data(), parameter.type(), 0, to, from, c);
        }
    }

    private static void normalize(float[] v, int from, int c, float eps, float[] gain, float[] offset) {
        float mean = Sums.sum(v, from, c) / c;
        float variance = Sums.squares(v, from, c, mean) / c;
        float inverse = (float) (1 / Math.sqrt((double) variance + eps));
        for (int i = from; i < from + c; i++) {
            v[i] = (v[i] - mean) * inverse * gain[i] + offset[i];
        }
    }
}
