package jdiffusion.kernels.linear;

import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Gemm;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** Linear layers on the CPU: weights are widened and transposed block by block on their way into the cache. */
public final class CpuLinear {
    private final Gemm gemm;
    private final Rows factors;

    public CpuLinear(Cpu cpu) {
        gemm = new Gemm(cpu);
        factors = new Rows(cpu);
    }

    /**
     * out = epilogue(x w^T + bias).
     *
     * @param x    [m, k] float32
     * @param w    [n, k]
     * @param bias [n] or null
     * @param out  [m, n] float32
     */
    public void run(Tensor x, Weight w, Tensor bias, Epilogue epilogue, Tensor out) {
        check(x, w, bias, epilogue, out);
        factors.x = x;
        factors.w = w;
        gemm.run(x.rows(), w.rows(), w.cols(), factors, bias, epilogue, out);
        factors.x = null;
        factors.w = null;
    }

    private static void check(Tensor x, Weight w, Tensor bias, Epilogue epilogue, Tensor out) {
        Tensor gate = epilogue.gate();
        if (x.type() != DType.F32 || x.cols() != w.cols()) {
            throw misfit("input", x, w, out);
        }
        if (out.type() != DType.F32 || out.cols() != w.rows() || out.rows() != x.rows()) {
            throw misfit("output", out, w, x);
        }
        if (bias != null && (!bias.type().isFloat() || bias.shape().rank() != 1 || bias.cols() != w.rows())) {
            throw misfit("bias", bias, w, out);
        }
        if (gate != null && (gate.type() != DType.F32 || gate.cols() != w.rows() || gate.rows() == 0
                || out.rows() % gate.rows() != 0)) {
            throw misfit("gate", gate, w, out);
        }
    }

    private static IllegalArgumentException misfit(String name, Tensor tensor, Weight w, Tensor other) {
        return new IllegalArgumentException("linear: " + name + " " + tensor + " does not fit weight [" + w.rows()
                + ", " + w.cols() + "] and " + other);
    }

    private static final class Rows implements Gemm.Factors {
        private final Cpu cpu;
        private Tensor x;
        private Weight w;

        Rows(Cpu cpu) {
            this.cpu = cpu;
        }

        @Override
        public void left(int row, float[] to, int at) {
            Widen.run(x.data(), DType.F32, x.rowOffset(row), to, at, x.cols());
            Widen.round(cpu.precision(), to, at, x.cols());
        }

        @Override
        public void right(int row, int from, int count, float[] to, int at) {
            Tensor tensor = null;
            int rowInPart = row;
            Weight part = w;
            while (tensor == null) {
                switch (part) {
                    case Weight.Dense dense -> tensor = dense.tensor();
                    case Weight.Rows joined -> {
                        int i = 0;
                        while (rowInPart >= joined.parts().get(i).rows()) {
                            rowInPart -= joined.parts().get(i++).rows();
                        }
                        part = joined.parts().get(i);
                    }
                }
            }
            DType type = tensor.type();
            long offset = tensor.rowOffset(rowInPart) + (long) from * type.bytes();
            Widen.run(tensor.data(), type, offset, to, at, count);
            if (type == DType.F32 || type == DType.F16) {
                Widen.round(cpu.precision(), to, at, count);
            }
        }
    }
}
