package jdiffusion.model.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.zip.DeflaterOutputStream;
import javax.imageio.ImageIO;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files that ImageIO, which shares no code with the writer, reads back as they were; and hostile ones. */
class PngTest {
    @TempDir
    private Path folder;

    private static Picture picture(int width, int height) {
        byte[] rgb = new byte[3 * width * height];
        new Random(width * 31L + height).nextBytes(rgb);
        // Half random, half smooth, so that every prediction occurs.
        for (int i = 0; i < rgb.length / 2; i++) {
            rgb[i] = (byte) (i / 7);
        }
        return new Picture(width, height, rgb);
    }

    @ParameterizedTest
    @CsvSource({"1,1", "1,7", "7,1", "33,17", "128,64"})
    void pixels(int width, int height) throws IOException {
        Picture picture = picture(width, height);
        BufferedImage read = ImageIO.read(new ByteArrayInputStream(Png.encode(picture, Map.of("a", "b"))));
        assertThat(StoredValues.of(read).colours().rgb()).isEqualTo(picture.rgb());
        assertThat(read.getWidth()).isEqualTo(width);
    }

    @Test
    void textsAndSameBytes() throws IOException {
        Map<String, String> texts = new LinkedHashMap<>();
        texts.put("parameters", "a dog\nSteps: 20");
        texts.put("latin", "ünï ÿ");
        texts.put("wide", "日本 🎨");
        texts.put("empty", "");
        Path file = folder.resolve("a.png");
        Png.write(picture(5, 3), texts, file);
        assertThat(Png.texts(file)).containsExactlyEntriesOf(texts);
        assertThat(Png.read(file).picture().rgb()).isEqualTo(picture(5, 3).rgb());
        byte[] bytes = Files.readAllBytes(file);
        assertThat(Png.encode(picture(5, 3), texts)).isEqualTo(bytes);
        assertThat(new String(bytes, StandardCharsets.ISO_8859_1)).containsOnlyOnce("iTXt").contains("tEXtlatin");
    }

    @Test
    void compressedTexts() throws IOException {
        ByteArrayOutputStream deflated = new ByteArrayOutputStream();
        try (DeflaterOutputStream out = new DeflaterOutputStream(deflated)) {
            out.write("a cät".getBytes(StandardCharsets.ISO_8859_1));
        }
        ByteArrayOutputStream chunk = new ByteArrayOutputStream();
        chunk.writeBytes("parameters\0\0".getBytes(StandardCharsets.ISO_8859_1));
        chunk.writeBytes(deflated.toByteArray());
        assertThat(Png.texts(withChunk("zTXt", chunk.toByteArray()))).containsEntry("parameters", "a cät");
    }

    @ParameterizedTest
    @CsvSource({"tEXt,''", "tEXt,|", "tEXt,key", "iTXt,key|", "iTXt,key||", "iTXt,key|||en", "iTXt,key||||", "zTXt,key",
        "zTXt,key|", "zTXt,key||", "zTXt,key||no zlib", "iTXt,key|1|||no zlib"})
    void malformedTextsAreLeftOut(String type, String data) throws IOException {
        byte[] bytes = data.replace('|', '\0').replace('1', '\1').getBytes(StandardCharsets.ISO_8859_1);
        assertThat(Png.texts(withChunk(type, bytes)).getOrDefault("key", "")).isEmpty();
    }

    /** A file cut anywhere or with any byte changed is read or refused, and never takes long. */
    @Test
    void damage() throws IOException {
        byte[] good = Png.encode(picture(3, 2), Map.of("parameters", "a dog", "wide", "日"));
        Path file = folder.resolve("a.png");
        for (int i = 0; i < good.length; i++) {
            int at = i;
            Files.write(file, Arrays.copyOf(good, i));
            assertThatThrownBy(() -> Png.texts(file)).as("cut at %d", at).isInstanceOf(InputException.class);
            byte[] bad = good.clone();
            bad[i] ^= (byte) 0xff;
            Files.write(file, bad);
            readOrRefused(() -> Png.texts(file));
            readOrRefused(() -> PictureFile.read(file));
        }
    }

    private static void readOrRefused(Runnable reading) {
        try {
            reading.run();
        } catch (InputException e) {
            assertThat(e.getMessage()).isNotBlank().doesNotContain("\n");
        }
    }

    /** Bytes that are UTF-8 are read as that, as many programs write it; all others as Latin-1. */
    @ParameterizedTest
    @CsvSource({"tEXt,''", "zTXt,''", "iTXt,''", "iTXt,1"})
    void charset(String type, String compressed) throws IOException {
        for (Charset charset : new Charset[] {StandardCharsets.UTF_8, StandardCharsets.ISO_8859_1}) {
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            boolean deflates = type.equals("zTXt") || !compressed.isEmpty();
            try (OutputStream out = deflates ? new DeflaterOutputStream(body) : body) {
                out.write("a caf\u00e9 \r\n".getBytes(charset));
            }
            ByteArrayOutputStream chunk = new ByteArrayOutputStream();
            chunk.writeBytes(("k\0" + switch (type) {
                case "zTXt" -> "\0";
                case "iTXt" -> (compressed.isEmpty() ? "\0" : "\1") + "\0en\0key\0";
                default -> "";
            }).getBytes(StandardCharsets.ISO_8859_1));
            chunk.writeBytes(body.toByteArray());
            assertThat(Png.texts(withChunk(type, chunk.toByteArray()))).containsEntry("k", "a caf\u00e9 \r\n");
        }
    }

    /** Latin-1 that would be read as UTF-8 is written as UTF-8. */
    @Test
    void latinThatLooksLikeUtf8() throws IOException {
        Path file = folder.resolve("a.png");
        for (String text : new String[] {"\u00c3\u00a9", "caf\u00e9", "\u00e2\u0082\u00ac", "\ud800"}) {
            Png.write(picture(1, 1), Map.of("k", text), file);
            assertThat(Png.texts(file)).containsEntry("k", text.equals("\ud800") ? "?" : text);
        }
    }

    @Test
    void textsBehindThePixelsAndSeveralOfAName() throws IOException {
        byte[] png = Png.encode(picture(3, 2), Map.of("parameters", "first"));
        Path file = Files.write(folder.resolve("a.png"),
                Pictures.withChunk(png, "tEXt", "parameters\0last".getBytes(StandardCharsets.ISO_8859_1), true));
        assertThat(PngText.all(file)).extracting(PngText::text).containsExactly("first", "last");
        assertThat(Png.texts(file)).containsEntry("parameters", "last");
    }

    /** A few kilobytes that would inflate to gigabytes, in one text or in many. */
    @Test
    void textsThatInflate() throws IOException {
        ByteArrayOutputStream deflated = new ByteArrayOutputStream();
        deflated.writeBytes("k\0\0".getBytes(StandardCharsets.ISO_8859_1));
        try (OutputStream out = new DeflaterOutputStream(deflated)) {
            for (int i = 0; i < 3 << 10; i++) {
                out.write(new byte[1024]);
            }
        }
        byte[] png = Png.encode(picture(1, 1), Map.of());
        for (int i = 0; i < 12; i++) {
            png = Pictures.withChunk(png, "zTXt", deflated.toByteArray(), false);
        }
        Path file = Files.write(folder.resolve("a.png"), png);
        assertThatThrownBy(() -> Png.texts(file)).isInstanceOf(InputException.class)
                .hasMessageContaining("more text than a picture's settings can be");
        assertThat(PictureFile.read(file).width()).isEqualTo(1);
    }

    /** A 1x1 picture with one more chunk before the others. */
    private Path withChunk(String type, byte[] data) throws IOException {
        byte[] plain = Png.encode(new Picture(1, 1, new byte[3]), Map.of());
        return Files.write(folder.resolve("chunk.png"), Pictures.withChunk(plain, type, data, false));
    }
}
