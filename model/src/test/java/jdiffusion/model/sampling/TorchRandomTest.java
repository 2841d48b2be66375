package jdiffusion.model.sampling;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.SplittableRandom;
import jdiffusion.model.TestData;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Every number must have torch's bits. The constants were drawn with torch 2.13 on a machine with AVX2, by
 * {@code torch.randn(n, generator=torch.Generator("cpu").manual_seed(seed))}; hashes are SHA-256 of the
 * little-endian float32 values.
 */
class TorchRandomTest {
    @Test
    void equalsAllReferenceFiles() {
        var file = TestData.reference().resolve("random/randn.safetensors");
        var names = TestData.names(file);
        assertThat(names).hasSize(30);
        for (var name : names) {
            var parts = name.split("\\.");
            long seed = Long.parseLong(parts[0].substring("seed".length()));
            int count = Integer.parseInt(parts[1].substring("n".length()));
            assertThat(bits(draw(seed, count))).as(name).isEqualTo(bits(TestData.floats(file, name)));
        }
    }

    @Test
    void shortDrawIsTheScalarPath() {
        assertThat(draw(42, 3)).containsExactly(3.3669037e-01f, 1.288094e-01f, 2.3446237e-01f);
    }

    @Test
    void sixteenNumbersAreOneBlock() {
        assertThat(draw(42, 16)).containsExactly(
                1.9269153f, 1.4872841f, 9.007172e-01f, -2.105521f,
                6.7841846e-01f, -1.2345449f, -4.3067478e-02f, -1.604667f,
                -7.521353e-01f, 1.648723f, -3.9247864e-01f, -1.4036071f,
                -7.278813e-01f, -5.594302e-01f, -7.688389e-01f, 7.624454e-01f);
    }

    @Test
    void raggedLengthMakesTheLastSixteenAnew() {
        assertThat(draw(42, 17)).containsExactly(
                1.9269153f, -1.5959747e-01f, -4.9739754e-01f, 4.3958926e-01f,
                -7.5813115e-01f, 1.0783176f, 8.0080056e-01f, 1.6806206f,
                3.558599e-01f, 1.2964228f, 6.104665e-01f, 1.3347378f,
                -2.3162432e-01f, 4.175949e-02f, -2.515753e-01f, 8.598585e-01f,
                -3.0972677e-01f);
    }

    @Test
    void keptSecondNumberSurvivesALongDraw() {
        var random = new TorchRandom(42);
        assertThat(next(random, 1)).containsExactly(3.3669037e-01f);
        assertThat(next(random, 16)).startsWith(6.7841846e-01f, -1.2345449f, -4.3067478e-02f);
        assertThat(next(random, 1)).containsExactly(1.288094e-01f);
    }

    @ParameterizedTest
    @CsvSource({
        "0, 1000003, 4022835943f764406042deb5599569909f3ebb4c4c52a5204fb8168b7a4d58c2",
        "42, 518400, 7fa68b0a113cfbf0f7e3597794dcc7227e7e9f7babfd29a6fa5d9e34b8d68875",
        "3, 4105, 6e1307b27573cde6bcef77d3303c10adc8066fb19b38aad4bbb9ea84ea9dbfaf",
    })
    void longDrawsHaveTorchsHash(long seed, int count, String hash) {
        assertThat(sha256(draw(seed, count))).isEqualTo(hash);
    }

    @Test
    void mixedDrawsFromOneGeneratorHaveTorchsHash() {
        assertThat(sha256(draw(7, 1, 16, 1, 17, 3, 15, 100, 2, 0, 5, 31)))
                .isEqualTo("2914dcaa916896c891787d319ab8510148d0b68290eae51a8090d392f1aa7471");
    }

    @Test
    void onlyTheLowHalfOfASeedCounts() {
        assertThat(draw(0x1_0000_002aL, 40)).isEqualTo(draw(42, 40));
        assertThat(draw(-1, 2)).containsExactly(1.219763f, -3.9297947e-01f);
        assertThat(draw(Long.MAX_VALUE, 2)).containsExactly(1.219763f, -3.9297947e-01f);
        assertThat(draw(43, 40)).isNotEqualTo(draw(42, 40));
    }

    @ParameterizedTest
    @CsvSource({"0", "1", "15", "16", "33", "1000"})
    void segmentGetsTheSameNumbersAsAnArray(int count) {
        try (var arena = Arena.ofConfined()) {
            // An odd address, and a guard byte behind the end.
            var memory = arena.allocate(count * 4L + 2);
            memory.fill((byte) 0x5a);
            var out = memory.asSlice(1, count * 4L);
            new TorchRandom(5).normals(out);
            var values = new float[count];
            MemorySegment.copy(out, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values, 0, count);
            assertThat(bits(values)).isEqualTo(bits(draw(5, count)));
            assertThat(memory.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 0x5a);
            assertThat(memory.get(ValueLayout.JAVA_BYTE, count * 4L + 1)).isEqualTo((byte) 0x5a);
        }
    }

    @Test
    void segmentOfHalfAFloatIsRefused() {
        var random = new TorchRandom(0);
        assertThatThrownBy(() -> random.normals(MemorySegment.ofArray(new byte[7])))
                .isInstanceOf(IllegalArgumentException.class).hasMessageContaining("7 bytes");
    }

    /** Against double precision: the polynomials are good to a few units in the last place of a float. */
    @Test
    void blockIsCloseToTheTransformInDouble() {
        var random = new SplittableRandom(1);
        var block = new float[16];
        for (int round = 0; round < 1000; round++) {
            for (int i = 0; i < 16; i++) {
                block[i] = random.nextInt(1 << 24) * 0x1p-24f;
            }
            block[round & 7] = round % 3 == 0 ? 0 : (float) (1 - 0x1p-24);
            var uniform = block.clone();
            BoxMuller.transform(block);
            for (int i = 0; i < 8; i++) {
                double radius = Math.sqrt(-2 * Math.log(1 - uniform[i]));
                double angle = 2 * Math.PI * uniform[i + 8];
                double tolerance = 8 * 0x1p-24 * radius + 1e-30;
                assertThat((double) block[i]).isCloseTo(radius * Math.cos(angle), within(tolerance));
                assertThat((double) block[i + 8]).isCloseTo(radius * Math.sin(angle), within(tolerance));
            }
        }
    }

    private static Offset<Double> within(double tolerance) {
        return Offset.offset(tolerance);
    }

    /** All draws of one generator, one after the other. */
    private static float[] draw(long seed, int... counts) {
        var random = new TorchRandom(seed);
        int total = 0;
        for (int count : counts) {
            total += count;
        }
        var all = new float[total];
        int at = 0;
        for (int count : counts) {
            System.arraycopy(next(random, count), 0, all, at, count);
            at += count;
        }
        return all;
    }

    private static float[] next(TorchRandom random, int count) {
        var values = new float[count];
        random.normals(values);
        return values;
    }

    private static int[] bits(float[] values) {
        var bits = new int[values.length];
        for (int i = 0; i < bits.length; i++) {
            bits[i] = Float.floatToRawIntBits(values[i]);
        }
        return bits;
    }

    private static String sha256(float[] values) {
        var bytes = ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(values);
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes.array()));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
