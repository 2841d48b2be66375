package jdiffusion.tensor.gguf;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;

/** Damaged files of all kinds, the same in every run: only {@link InputException} may come out. */
class GgufFuzzTest {
    private static final int DATA = 32 + 32 + 96 + 84;
    private static final byte[] GOOD = GgufBytes.start(3, 4, 6)
            .key("general.architecture", 8).text("sd3").key("general.alignment", 4).u32(32)
            .key("words", 9).u32(8).u64(2).text("a").text("bc").key("list", 9).u32(9).u64(1).u32(5).u64(1).u32(3)
            .key("comfy.gguf.orig_shape.k", 9).u32(5).u64(2).u32(32).u32(8).key("b", 7).u8(1)
            .tensor("a.weight", 0, 0, 4, 2).tensor("h", 1, 32, 3).tensor("\u4e2d", 8, 64, 64).tensor("k", 10, 160, 256)
            .pad(32).zeros(DATA).bytes();
    /** Numbers at the edges of their types, and numbers that mean something here. */
    private static final long[] NUMBERS = {0, 1, 2, 3, 4, 8, 9, 12, 13, 31, 32, 39, 64, 255, 256, 65535, 65536,
        Integer.MAX_VALUE, 1L << 31, 0xffffffffL, 1L << 32, 1L << 58, 1L << 61, Long.MAX_VALUE, Long.MIN_VALUE, -1};

    @Test
    void theStartingPointIsGood() {
        assertThat(opens(GOOD)).isTrue();
    }

    @Test
    void everyTruncationIsRejected() {
        for (int size = 0; size < GOOD.length; size++) {
            assertThat(opens(Arrays.copyOf(GOOD, size))).as("%d bytes", size).isFalse();
        }
    }

    @Test
    void aChangeOfAnyByteIsSurvived() {
        for (int i = 0; i < GOOD.length - DATA; i++) {
            for (int b = i % 15; b < 256; b += 15) {
                byte[] file = GOOD.clone();
                file[i] = (byte) b;
                opens(file);
            }
        }
    }

    @Test
    void randomMutationsAreSurvived() {
        Random random = new Random(20241126);
        int opened = 0;
        for (int i = 0; i < 6_000; i++) {
            byte[] file = GOOD;
            for (int n = 1 + random.nextInt(3); n > 0; n--) {
                file = mutate(file, random);
            }
            opened += opens(file) ? 1 : 0;
        }
        // Some mutations (a letter of a name, data) are harmless; all or none would mean that nothing was tested.
        assertThat(opened).isBetween(100, 3_000);
    }

    private static byte[] mutate(byte[] file, Random random) {
        int at = random.nextInt(file.length - DATA);
        if (random.nextInt(3) > 0) {
            byte[] number = new GgufBytes().u64(NUMBERS[random.nextInt(NUMBERS.length)]).bytes();
            byte[] out = file.clone();
            System.arraycopy(number, 0, out, at, random.nextBoolean() ? 4 : 8);
            return out;
        }
        int end = Math.min(file.length, at + random.nextInt(24));
        int from = random.nextInt(file.length);
        byte[] piece = Arrays.copyOfRange(file, from, Math.min(file.length, from + random.nextInt(80)));
        byte[] out = Arrays.copyOf(file, at + piece.length + file.length - end);
        System.arraycopy(piece, 0, out, at, piece.length);
        System.arraycopy(file, end, out, at + piece.length, file.length - end);
        return out;
    }

    /** Whether it is accepted; then every tensor can be read. */
    private static boolean opens(byte[] bytes) {
        MemorySegment memory = MemorySegment.ofArray(bytes);
        // Closing the file closes the arena.
        try (GgufFile file = new GgufFile("f", Arena.ofConfined(), memory, GgufHeader.parse("f", memory))) {
            for (String name : file.names()) {
                if (file.find(name) != null) {
                    assertThat(file.find(name).toArray()).hasSize((int) file.shape(name).size());
                } else {
                    Weight weight = file.weight(name);
                    for (int r = 0; r < weight.rows(); r++) {
                        weight.read(r, 0, weight.cols(), new float[weight.cols()], 0);
                    }
                }
            }
            return true;
        } catch (InputException e) {
            assertThat(e).hasMessageStartingWith("f: ");
            return false;
        } catch (RuntimeException | StackOverflowError e) {
            throw new AssertionError("for " + HexFormat.of().formatHex(bytes), e);
        }
    }
}
