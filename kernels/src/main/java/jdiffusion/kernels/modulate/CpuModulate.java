package jdiffusion.kernels.modulate;

import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.tensor.Tensor;

/** The modulation of adaLN (Peebles and Xie 2023) where no norm stands before it, as at the end of AuraFlow. */
public final class CpuModulate {
    private static final int FLOATS_PER_ITEM = 16384;

    private final Cpu cpu;

    public CpuModulate(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#modulate}. */
    public void run(Tensor x, Tensor scale, Tensor shift, Tensor out) {
        Operands.float32OrBf16("modulate", x, out);
        check(x, scale, shift, out);
        int rows = x.rows();
        int c = x.cols();
        int batch = scale.rows();
        float[] gain = cpu.shared(Buffer.ROW, batch * c);
        float[] offset = cpu.shared(Buffer.SUMS, batch * c);
        Elements.read(scale, 0, batch * c, gain, 0);
        Elements.read(shift, 0, batch * c, offset, 0);
        for (int i = 0; i < batch * c; i++) {
            gain[i] += 1;
        }

        int rowsPerEntry = rows / batch;
        int perItem = Math.max(1, FLOATS_PER_ITEM / Math.max(1, c));
        cpu.workers().run(Math.ceilDiv(rows, perItem), (item, worker) -> {
            float[] v = cpu.local(worker, Buffer.ROW, batch * c);
            int end = Math.min(rows, (item + 1) * perItem);
            for (int r = item * perItem; r < end; r++) {
                // A row lies in v where its entry's gain lies in gain: with one index for all, C2 vectorises the loop.
                int from = r / rowsPerEntry * c;
                Elements.read(x, (long) r * c, c, v, from);
                modulate(v, from, c, gain, offset);
                Elements.write(v, from, out, (long) r * c, c);
            }
        });
    }

    /** What every device needs. */
    static void check(Tensor x, Tensor scale, Tensor shift, Tensor out) {
        Operands.equalRows("modulate", x, out);
        if (scale == null || shift == null) {
            throw new IllegalArgumentException("modulate needs both scale and shift, got " + scale + " and " + shift);
        }
        Operands.modulation("modulate", x, scale, shift);
    }

    private static void modulate(float[] v, int from, int c, float[] gain, float[] offset) {
        for (int i = from; i < from + c; i++) {
            v[i] = v[i] * gain[i] + offset[i];
        }
    }
}
