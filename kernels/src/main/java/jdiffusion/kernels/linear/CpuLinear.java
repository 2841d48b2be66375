package jdiffusion.kernels.linear;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Gemm;
import jdiffusion.kernels.cpu.Widen;
import jdiffusion.kernels.linear.CpuFloat8.Form;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** Linear layers on the CPU: weights are widened and transposed block by block on their way into the cache. */
public final class CpuLinear {
    private static final ValueLayout.OfFloat WORD =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort HALF =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final Gemm gemm;
    private final Rows factors;
    private final boolean float8;

    public CpuLinear(Cpu cpu) {
        this(cpu, false);
    }

    /** @param float8 whether inputs of weights that are stored as float8 are rounded to it; of a cpu in F32 */
    public CpuLinear(Cpu cpu, boolean float8) {
        this.float8 = float8;
        gemm = new Gemm(cpu);
        factors = new Rows(cpu);
    }

    /**
     * See {@link jdiffusion.kernels.Backend#linear}; x and out are float32 or bfloat16. Calls of the same x that follow
     * each other, such as those for q, k and v, round it once.
     */
    public void run(List<LinearCall> calls) {
        for (LinearCall call : calls) {
            Operands.float32OrBf16("linear", call.x(), call.out());
        }
        runEach(float8 ? CpuFloat8.ofOneForm(calls) : calls);
    }

    private void runEach(List<LinearCall> calls) {
        int first = 0;
        for (int i = 0; i < calls.size(); i++) {
            Tensor x = calls.get(i).x();
            if (i + 1 == calls.size() || calls.get(i + 1).x() != x || form(calls.get(i + 1)) != form(calls.get(i))) {
                run(x, form(calls.get(i)), calls.subList(first, i + 1));
                first = i + 1;
            }
        }
    }

    private Form form(LinearCall call) {
        return float8 ? Form.of(call.w()) : Form.WIDE;
    }

    /** One layer alone. */
    public void run(LinearCall call) {
        run(List.of(call));
    }

    private void run(Tensor x, Form form, List<LinearCall> calls) {
        factors.x = x;
        factors.form = form;
        try {
            gemm.run(x.rows(), form == Form.BOTH ? 2 * x.cols() : x.cols(), factors,
                    () -> calls.forEach(this::product));
        } finally {
            factors.x = null;
        }
    }

    private void product(LinearCall call) {
        factors.w = call.w();
        try {
            factors.deltas.begin(call.w());
            gemm.product(call.n(), call.bias(), call.epilogue(), call.out());
        } finally {
            factors.w = null;
            factors.deltas.end();
        }
    }

    /** Which of joined matrices has a row. */
    private static int partOf(Weight.Rows joined, int row) {
        int i = 0;
        for (int within = row; within >= joined.parts().get(i).rows(); i++) {
            within -= joined.parts().get(i).rows();
        }
        return i;
    }

    /** The row of that matrix. */
    private static int within(Weight.Rows joined, int part, int row) {
        int within = row;
        for (int i = 0; i < part; i++) {
            within -= joined.parts().get(i).rows();
        }
        return within;
    }

    private static final class Rows implements Gemm.Factors {
        private final Cpu cpu;
        private final CpuDeltas deltas;
        private Tensor x;
        /** BOTH has x twice, and behind the matrix what is added to it. */
        private Form form;
        private Weight w;

        Rows(Cpu cpu) {
            this.cpu = cpu;
            deltas = new CpuDeltas(cpu);
        }

        @Override
        public void left(int row, float[] to, int at) {
            Widen.run(x.data(), x.type(), x.rowOffset(row), to, at, x.cols());
            if (form != Form.WIDE) {
                if (form == Form.BOTH) {
                    System.arraycopy(to, at, to, at + x.cols(), x.cols());
                }
                CpuFloat8.round(to, at, x.cols());
                return;
            }
            if (x.type() != DType.BF16) {
                round(to, at, x.cols());
            }
        }

        @Override
        public int rightBits() {
            return bits(w);
        }

        private static int bits(Weight matrix) {
            return switch (matrix) {
                case Weight.Dense(Tensor tensor) -> tensor.type().significantBits();
                case Weight.Rows joined -> joined.parts().stream().mapToInt(Rows::bits).max().orElseThrow();
                default -> FLOAT_BITS;
            };
        }

        @Override
        public void right(int row, int from, int count, float[] to, int at) {
            if (form == Form.BOTH) {
                int ofBase = Math.clamp(x.cols() - from, 0, count);
                if (ofBase > 0) {
                    readBase(w, row, from, ofBase, to, at);
                }
                Arrays.fill(to, at + ofBase, at + count, 0f);
                if (ofBase < count) {
                    addDeltas(w, row, from + ofBase - x.cols(), count - ofBase, to, at + ofBase);
                }
                return;
            }
            if (!read(w, row, from, count, to, at)) {
                round(to, at, count);
            }
        }

        /** Where products are in pairs, whoever makes the pairs rounds. */
        private void round(float[] values, int at, int count) {
            if (!cpu.products().inPairs()) {
                Widen.round(cpu.precision(), values, at, count);
            }
        }

        /** The same without what adapters add. */
        private void readBase(Weight matrix, int row, int from, int count, float[] to, int at) {
            switch (matrix) {
                case Weight.Rows joined -> {
                    int i = partOf(joined, row);
                    readBase(joined.parts().get(i), within(joined, i, row), from, count, to, at);
                }
                case Weight.Adapted adapted -> readBase(adapted.base(), row, from, count, to, at);
                default -> read(matrix, row, from, count, to, at);
            }
        }

        private void addDeltas(Weight matrix, int row, int from, int count, float[] to, int at) {
            switch (matrix) {
                case Weight.Rows joined -> {
                    int i = partOf(joined, row);
                    addDeltas(joined.parts().get(i), within(joined, i, row), from, count, to, at);
                }
                case Weight.Adapted adapted -> {
                    addDeltas(adapted.base(), row, from, count, to, at);
                    deltas.add(adapted.deltas(), row, from, count, to, at);
                }
                default -> {
                    // Adds nothing.
                }
            }
        }

        /** Elements of a row in float32; whether all of them are sure to be bfloat16 numbers too. */
        private boolean read(Weight matrix, int row, int from, int count, float[] to, int at) {
            return switch (matrix) {
                case Weight.Dense dense -> {
                    widen(dense.tensor(), row, from, count, to, at);
                    yield dense.tensor().type() != DType.F32 && dense.tensor().type() != DType.F16;
                }
                case Weight.Rows joined -> {
                    int i = partOf(joined, row);
                    yield read(joined.parts().get(i), within(joined, i, row), from, count, to, at);
                }
                case Weight.Scaled scaled -> {
                    widen(scaled.tensor(), row, from, count, to, at);
                    float scale = scaled.scale();
                    for (int i = at; i < at + count; i++) {
                        to[i] *= scale;
                    }
                    yield false;
                }
                case FourBitWeight quantised -> {
                    CpuFourBit.run(quantised, row, from, count, to, at);
                    yield false;
                }
                case Weight.Blocks blocks -> {
                    CpuBlocks.run(blocks, row, from, count, to, at);
                    yield false;
                }
                case Weight.Adapted adapted -> {
                    read(adapted.base(), row, from, count, to, at);
                    deltas.add(adapted.deltas(), row, from, count, to, at);
                    yield false;
                }
                case Stretched stretched -> {
                    read(stretched.base(), row, from, count, to, at);
                    stretched.stretch(row, from, count, to, at);
                    yield false;
                }
            };
        }

        private static void widen(Tensor tensor, int row, int from, int count, float[] to, int at) {
            long offset = tensor.rowOffset(row) + (long) from * tensor.type().bytes();
            Widen.run(tensor.data(), tensor.type(), offset, to, at, count);
        }

        @Override
        public boolean rightStored(int row, int from, int count, float[] to, int at) {
            return stored(w, row, from, count, to, at);
        }

        @Override
        public Tensor leftPlace() {
            return x.type() == DType.F32 ? x : null;
        }

        @Override
        public Tensor leftWords() {
            return x.type() == DType.BF16 ? x : null;
        }

        @Override
        public boolean leftStored(int row, float[] to, int at) {
            return stored(x, row, 0, x.cols(), to, at);
        }

        @Override
        public Tensor rightPlace(int row, int count) {
            Weight part = w;
            for (int at = row; part instanceof Weight.Rows joined;) {
                int i = partOf(joined, at);
                at = within(joined, i, at);
                part = joined.parts().get(i);
            }
            int first = rightFirst(row);
            return part instanceof Weight.Dense dense && dense.tensor().type() == DType.BF16
                    && first + count <= dense.tensor().rows() ? dense.tensor() : null;
        }

        @Override
        public int rightFirst(int row) {
            Weight part = w;
            int first = row;
            while (part instanceof Weight.Rows joined) {
                int i = partOf(joined, first);
                first = within(joined, i, first);
                part = joined.parts().get(i);
            }
            return first;
        }

        private static boolean stored(Weight part, int row, int from, int count, float[] to, int at) {
            return switch (part) {
                case Weight.Rows joined -> {
                    int i = partOf(joined, row);
                    yield stored(joined.parts().get(i), within(joined, i, row), from, count, to, at);
                }
                case Weight.Dense(Tensor tensor) -> stored(tensor, row, from, count, to, at);
                default -> false;
            };
        }

        private static boolean stored(Tensor tensor, int row, int from, int count, float[] to, int at) {
            if (tensor.type() != DType.BF16) {
                return false;
            }
            long offset = tensor.rowOffset(row) + (long) from * Short.BYTES;
            MemorySegment.copy(tensor.data(), WORD, offset, to, at, count / 2);
            if (count % 2 == 1) {
                short last = tensor.data().get(HALF, offset + (count - 1L) * Short.BYTES);
                to[at + count / 2] = Float.intBitsToFloat(last & 0xffff);
            }
            return true;
        }
    }
}
