package jdiffusion.kernels.linear;

import jdiffusion.tensor.DType;

/** Sizes of a linear layer and the type of its weights. */
record LinearCase(int m, int k, int n, DType type) {
    /** Around the edges of tiles, strips, blocks along k and chunks of rows. */
    static final LinearCase[] RAGGED = {
        new LinearCase(1, 1, 1, DType.F32), new LinearCase(1, 5, 7, DType.BF16), new LinearCase(5, 3, 63, DType.F16),
        new LinearCase(6, 16, 64, DType.F8_E4M3), new LinearCase(7, 17, 65, DType.F8_E5M2),
        new LinearCase(13, 127, 129, DType.F32), new LinearCase(2, 130, 200, DType.BF16),
        new LinearCase(64, 512, 16, DType.BF16), new LinearCase(65, 513, 33, DType.F16),
        new LinearCase(31, 1100, 70, DType.F32), new LinearCase(2050, 1100, 9, DType.F32),
        new LinearCase(200, 31, 256, DType.BF16),
    };

    /** What the model family runs: blocks of a small and of the medium transformer, and an adaLN projection. */
    static final LinearCase[] REAL = {
        new LinearCase(1536, 1536, 1536, DType.F32), new LinearCase(666, 256, 1024, DType.BF16),
        new LinearCase(1357, 1536, 6144, DType.BF16), new LinearCase(2, 1536, 9216, DType.BF16),
    };

    static LinearCase parse(String text) {
        String[] parts = text.split("[x ]");
        return new LinearCase(Integer.parseInt(parts[0]), Integer.parseInt(parts[1]), Integer.parseInt(parts[2]),
                DType.of(parts[3]));
    }

    long flops() {
        return 2L * m * k * n;
    }

    @Override
    public String toString() {
        return m + "x" + k + "x" + n + " " + type;
    }
}
