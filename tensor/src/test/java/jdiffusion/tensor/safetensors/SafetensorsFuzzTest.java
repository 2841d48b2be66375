package jdiffusion.tensor.safetensors;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;

/** Damaged files of all kinds, the same in every run: only {@link InputException} may come out. */
class SafetensorsFuzzTest {
    private static final byte[] GOOD = SafetensorsHeaderTest.file("{'__metadata__':{'format':'pt','\\u00e9':'x'},"
            + "'a.weight':{'dtype':'F32','shape':[2,3],'data_offsets':[0,24]},"
            + "'\u4e2d':{'dtype':'BF16','shape':[],'data_offsets':[24,26]},"
            + "'e':{'shape':[0,9],'dtype':'I64','data_offsets':[26,26]},"
            + "'z':{'dtype':'U8','shape':[1,1,5],'data_offsets':[26,31]}}   ", 31);
    /** What changes meaning: structure, signs, and numbers at the edges of their types. */
    private static final String[] PIECES = {
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "\\ud83d", "-", "0", "9", ".", "e9", "null", "true", " ", "\n",
        "2147483647", "2147483648", "4294967296", "9223372036854775807", "9223372036854775808", "\"dtype\":",
        "\"shape\":", "\"data_offsets\":", "\"__metadata__\":", "\"F32\"", "\"\"", "\0", "\u00ff", "[[[[", "{\"a\":{",
    };

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
        int headerEnd = GOOD.length - 31;
        for (int i = 0; i < headerEnd; i++) {
            for (int b = i % 5; b < 256; b += 5) {
                byte[] file = GOOD.clone();
                file[i] = (byte) b;
                opens(file);
            }
        }
    }

    @Test
    void randomMutationsAreSurvived() {
        Random random = new Random(20240607);
        int opened = 0;
        for (int i = 0; i < 20_000; i++) {
            byte[] json = Arrays.copyOfRange(GOOD, 8, GOOD.length - 31);
            for (int n = 1 + random.nextInt(4); n > 0; n--) {
                json = mutate(json, random);
            }
            opened += opens(SafetensorsHeaderTest.file(json, 31)) ? 1 : 0;
        }
        // Some mutations (a letter of a name, padding) are harmless; all or none would mean that nothing was tested.
        assertThat(opened).isBetween(100, 10_000);
    }

    @Test
    void randomBytesAreSurvived() {
        Random random = new Random(7);
        for (int i = 0; i < 5_000; i++) {
            byte[] file = new byte[random.nextInt(200)];
            random.nextBytes(file);
            if (file.length > 9) {
                ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).putLong(random.nextInt(file.length))
                        .put((byte) '{');
            }
            opens(file);
        }
    }

    private static byte[] mutate(byte[] json, Random random) {
        int at = random.nextInt(json.length + 1);
        int end = Math.min(json.length, at + random.nextInt(12));
        byte[] piece = switch (random.nextInt(4)) {
            case 0 -> new byte[0];
            case 1 -> new byte[] {(byte) random.nextInt(256)};
            case 2 -> PIECES[random.nextInt(PIECES.length)].getBytes(StandardCharsets.UTF_8);
            default -> {
                int from = random.nextInt(json.length + 1);
                yield Arrays.copyOfRange(json, from, Math.min(json.length, from + random.nextInt(80)));
            }
        };
        if (random.nextBoolean()) {
            end = at;
        }
        byte[] out = Arrays.copyOf(json, at + piece.length + json.length - end);
        System.arraycopy(piece, 0, out, at, piece.length);
        System.arraycopy(json, end, out, at + piece.length, json.length - end);
        return out.length == 0 ? new byte[] {'{'} : out;
    }

    /** Whether it is accepted; then every tensor lies in the file. */
    private static boolean opens(byte[] file) {
        try {
            SafetensorsHeader header = SafetensorsHeader.parse("f", MemorySegment.ofArray(file));
            header.tensors().forEach((name, t) -> {
                if (t.begin() < 0 || t.end() < t.begin() || header.dataStart() + t.end() > file.length
                        || t.shape().size() * t.type().bytes() != t.end() - t.begin()) {
                    throw new AssertionError("accepted " + name + " " + t);
                }
            });
            return true;
        } catch (InputException e) {
            return false;
        } catch (RuntimeException | StackOverflowError e) {
            throw new AssertionError("for " + new String(file, StandardCharsets.ISO_8859_1), e);
        }
    }
}
