package jdiffusion.kernels.rmsnorm;

import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.kernels.cpu.Sums;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.Tensor;

/** Root mean square normalisation, Zhang and Sennrich (2019). */
public final class CpuRmsNorm {
    private static final int FLOATS_PER_ITEM = 16384;

    private final Cpu cpu;

    public CpuRmsNorm(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#rmsNorm}. */
    public void run(Tensor x, Tensor weight, float eps, Tensor out) {
        Operands.float32OrBf16("rmsNorm", x, out);
        check(x, weight, out);
        int rows = x.rows();
        int c = x.cols();
        float[] gain = cpu.shared(Buffer.ROW, c);
        Widen.vector(weight, gain);

        int perItem = Math.max(1, FLOATS_PER_ITEM / Math.max(1, c));
        cpu.workers().run(Math.ceilDiv(rows, perItem), (item, worker) -> {
            float[] v = cpu.local(worker, Buffer.ROW, c);
            int end = Math.min(rows, (item + 1) * perItem);
            for (int r = item * perItem; r < end; r++) {
                Elements.read(x, (long) r * c, c, v, 0);
                normalize(v, c, eps, gain);
                Elements.write(v, 0, out, (long) r * c, c);
            }
        });
    }

    static void check(Tensor x, Tensor weight, Tensor out) {
        Operands.equalRows("rmsNorm", x, out);
        Operands.parameter("rmsNorm", weight, x);
    }

    private static void normalize(float[] v, int c, float eps, float[] gain) {
        float meanSquare = Sums.squares(v, 0, c, 0) / c;
        float inverse = (float) (1 / Math.sqrt((double) meanSquare + eps));
        for (int i = 0; i < c; i++) {
            v[i] = v[i] * inverse * gain[i];
        }
    }
}
