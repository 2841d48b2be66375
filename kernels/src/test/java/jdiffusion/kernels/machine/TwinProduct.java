package jdiffusion.kernels.machine;

import static jdiffusion.kernels.machine.AmxTiles.ROW_BYTES;
import static jdiffusion.kernels.machine.AmxTiles.TILE;
import static jdiffusion.kernels.machine.AmxTiles.TILE_BYTES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/**
 * What {@link AmxPanelCode} computes, written down in Java for whole pictures, some hundred times as fast as the
 * interpreter. Its bits are the interpreter's, subnormal numbers apart, which it does not take for zero.
 */
final class TwinProduct implements MachineCall {
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int PAIRS = TILE;

    private final AmxPanelCode code;

    private TwinProduct(AmxPanelCode code) {
        this.code = code;
    }

    /** Makes a twin of what is known to be a product by its bytes, and interprets all else. */
    static AmxPanels panels() {
        Map<String, AmxPanelCode> known = new HashMap<>();
        for (int left = 1; left <= Parts.MOST; left++) {
            for (int right = 1; right <= left; right++) {
                for (Beside beside : Beside.values()) {
                    for (boolean fresh : new boolean[] {true, false}) {
                        AmxPanelCode code = new AmxPanelCode(fresh, beside, new Parts(left, right));
                        known.put(bytes(code::write), code);
                    }
                }
            }
        }
        return new AmxPanels(body -> {
            AmxPanelCode code = known.get(bytes(body));
            return code == null ? new InterpretedFunction(body) : new TwinProduct(code);
        });
    }

    private static String bytes(Consumer<Assembler> body) {
        Assembler x = new Assembler();
        body.accept(x);
        return Arrays.toString(x.code());
    }

    @Override
    public void call(MemorySegment a, long aOffset, MemorySegment b, long bOffset, MemorySegment c, long cOffset,
                     long n, long stride, long count, long read, long readStride, long write, long writeStride) {
        Parts parts = code.parts();
        float[][] left = new float[4][TILE * PAIRS];
        float[][] right = new float[4][PAIRS * TILE];
        float[][] sums = new float[4][TILE * TILE];
        for (long block = 0; block < count; block++) {
            long place = cOffset + block * AmxBlock.BYTES;
            for (int i = 0; i < 4; i++) {
                if (code.fresh()) {
                    Arrays.fill(sums[i], 0f);
                } else {
                    MemorySegment.copy(c, FLOAT, place + i * TILE_BYTES, sums[i], 0, TILE * TILE);
                }
            }
            for (long step = 0; step < n; step++) {
                long panel = bOffset + (block * n + step) * parts.stepBytes();
                for (Parts.Term term : parts.terms()) {
                    long row = aOffset + step * parts.rowStepBytes() + (long) term.left() * ROW_BYTES;
                    for (int half = 0; half < 2; half++) {
                        read(a, row + half * TILE * stride, stride, left[2 * half], left[2 * half + 1]);
                        read(b, panel + term.right() * AmxBlock.STEP_BYTES + half * TILE_BYTES, ROW_BYTES,
                                right[2 * half], right[2 * half + 1]);
                    }
                    for (int i = 0; i < 4; i++) {
                        int rows = i % 2 * 2;
                        int columns = i / 2 * 2;
                        add(left[rows], left[rows + 1], right[columns], right[columns + 1], sums[i]);
                    }
                }
            }
            for (int i = 0; i < 4; i++) {
                MemorySegment.copy(sums[i], 0, c, FLOAT, place + i * TILE_BYTES, TILE * TILE);
            }
        }
    }

    /** A tile's lower and upper halves of words. */
    private static void read(MemorySegment from, long at, long stride, float[] low, float[] high) {
        for (int r = 0; r < TILE; r++) {
            for (int i = 0; i < PAIRS; i++) {
                int word = from.get(WORD, at + r * stride + 4L * i);
                low[r * PAIRS + i] = Float.intBitsToFloat(word << 16);
                high[r * PAIRS + i] = Float.intBitsToFloat(word & 0xffff0000);
            }
        }
    }

    private static void add(float[] lowA, float[] highA, float[] lowB, float[] highB, float[] sums) {
        float[] low = new float[TILE];
        float[] high = new float[TILE];
        for (int r = 0; r < TILE; r++) {
            Arrays.fill(low, 0f);
            Arrays.fill(high, 0f);
            for (int k = 0; k < PAIRS; k++) {
                chain(lowA[r * PAIRS + k], lowB, k * TILE, low);
                chain(highA[r * PAIRS + k], highB, k * TILE, high);
            }
            for (int j = 0; j < TILE; j++) {
                sums[r * TILE + j] += low[j] + high[j];
            }
        }
    }

    private static void chain(float a, float[] b, int at, float[] sums) {
        for (int j = 0; j < TILE; j++) {
            sums[j] = Math.fma(a, b[at + j], sums[j]);
        }
    }

    @Override
    public void close() {
    }
}
