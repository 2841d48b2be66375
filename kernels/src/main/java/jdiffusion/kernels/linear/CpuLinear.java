package jdiffusion.kernels.linear;

import java.lang.foreign.MemorySegment;
import jdiffusion.kernels.Operands;
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

    /** See {@link jdiffusion.kernels.Backend#linear}; x and out are float32. */
    public void run(LinearCall call) {
        Operands.float32("linear", call.x());
        Operands.float32("linear", call.out());
        factors.x = call.x();
        factors.w = call.w();
        gemm.run(call.m(), call.n(), call.k(), factors, call.bias(), call.epilogue(), call.out());
        factors.x = null;
        factors.w = null;
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
            int rowInPart = row;
            Weight part = w;
            while (part instanceof Weight.Rows joined) {
                int i = 0;
                while (rowInPart >= joined.parts().get(i).rows()) {
                    rowInPart -= joined.parts().get(i++).rows();
                }
                part = joined.parts().get(i);
            }
            DType type = switch (part) {
                case Weight.Dense dense -> {
                    Tensor tensor = dense.tensor();
                    long offset = tensor.rowOffset(rowInPart) + (long) from * tensor.type().bytes();
                    Widen.run(tensor.data(), tensor.type(), offset, to, at, count);
                    yield tensor.type();
                }
                case Weight.FourBit quantised -> {
                    CpuFourBit.run(quantised, rowInPart, from, count, to, at);
                    yield DType.F32;
                }
                case Weight.Scaled _, Weight.Blocks _, Weight.Adapted _ -> {
                    part.read(rowInPart, from, count, to, at);
                    yield DType.F32;
                }
                case Weight.Rows _ -> throw new AssertionError("rows of rows were resolved");
            };
            if (type == DType.F32 || type == DType.F16) {
                Widen.round(cpu.precision(), to, at, count);
            }
        }

        @Override
        public boolean rightStored(int row, int from, int count, float[] to, int at) {
            return stored(w, row, from, count, to, at);
        }

        private static boolean stored(Weight part, int row, int from, int count, float[] to, int at) {
            return switch (part) {
                case Weight.Rows joined -> {
                    int rowInPart = row;
                    int i = 0;
                    while (rowInPart >= joined.parts().get(i).rows()) {
                        rowInPart -= joined.parts().get(i++).rows();
                    }
                    yield stored(joined.parts().get(i), rowInPart, from, count, to, at);
                }
                case Weight.Dense(Tensor tensor) when tensor.type() == DType.BF16 -> {
                    long offset = tensor.rowOffset(row) + (long) from * Short.BYTES;
                    MemorySegment.copy(tensor.data(), offset, MemorySegment.ofArray(to), (long) at * Float.BYTES,
                            (long) count * Short.BYTES);
                    yield true;
                }
                default -> false;
            };
        }
    }
}
