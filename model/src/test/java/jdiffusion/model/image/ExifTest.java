package jdiffusion.model.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Orientation and comment, in every format and in damaged blocks. */
class ExifTest {
    private static final String[] ORDERS = {"BIG_ENDIAN", "LITTLE_ENDIAN"};

    @TempDir
    private Path folder;

    private static ByteOrder order(String name) {
        return name.equals(ORDERS[0]) ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN;
    }

    /** Pixels 0 to 5 of two rows of three, as each orientation shows them; from the table of the TIFF 6.0 standard. */
    @ParameterizedTest
    @CsvSource({"1,012345", "2,210543", "3,543210", "4,345012", "5,031425", "6,304152", "7,524130", "8,251403"})
    void upright(int orientation, String shown) {
        byte[] rgb = new byte[18];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i / 3);
        }
        Picture picture = new Picture(3, 2, rgb).upright(orientation);
        assertThat(picture.width()).isEqualTo(orientation < 5 ? 3 : 2);
        StringBuilder pixels = new StringBuilder();
        for (int i = 0; i < rgb.length; i += 3) {
            pixels.append(picture.rgb()[i]);
        }
        assertThat(pixels.toString()).isEqualTo(shown);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3, 6, 8})
    void filesOfCameras(int orientation) {
        Picture upright = PictureFile.read(Pictures.file("orientation/upright.png"));
        Picture png = PictureFile.read(Pictures.file("orientation/tag" + orientation + ".png"));
        Picture jpeg = PictureFile.read(Pictures.file("orientation/tag" + orientation + ".jpg"));
        assertThat(png.width()).isEqualTo(96);
        assertThat(png.rgb()).isEqualTo(upright.rgb());
        assertThat(jpeg.width()).isEqualTo(96);
        int different = 0;
        for (int i = 0; i < jpeg.rgb().length; i++) {
            different += Math.abs((jpeg.rgb()[i] & 0xff) - (upright.rgb()[i] & 0xff));
        }
        // JPEG's loss; a wrong orientation differs by a hundred.
        assertThat(different / jpeg.rgb().length).isLessThan(16);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void everyOrientationInEveryFormat(int orientation) throws IOException {
        assertThat(PictureFile.read(Pictures.file("orientation/tiff" + orientation + ".tif")).rgb())
                .isEqualTo(PictureFile.read(Pictures.file("orientation/tiff.expected.png")).rgb());
        byte[] png = Files.readAllBytes(Pictures.file("stored/rgba.png"));
        byte[] jpeg = Files.readAllBytes(Pictures.file("stored/jfif-420.jpg"));
        Picture pngStored = PictureFile.read(Pictures.file("stored/rgba.png"));
        Picture jpegStored = PictureFile.read(Pictures.file("stored/jfif-420.jpg"));
        for (String order : ORDERS) {
            byte[] block = Pictures.oriented(order(order), orientation).array();
            for (boolean atEnd : new boolean[] {false, true}) {
                same(Pictures.withChunk(png, "eXIf", block, atEnd), pngStored.upright(orientation));
                assertThat(PictureFile.read(Pictures.withChunk(png, "eXIf", block, atEnd), "x").rgb())
                        .isEqualTo(pngStored.upright(orientation).rgb());
            }
            same(Pictures.withExif(jpeg, block), jpegStored.upright(orientation));
            assertThat(PictureFile.read(Pictures.withExif(jpeg, block), "x").rgb())
                    .isEqualTo(jpegStored.upright(orientation).rgb());
            String text = "Raw profile type exif\0\nexif\n" + block.length + "\n" + HexFormat.of().formatHex(block);
            same(Pictures.withChunk(png, "tEXt", text.getBytes(StandardCharsets.ISO_8859_1), false),
                    pngStored.upright(orientation));
        }
    }

    private void same(byte[] file, Picture expected) throws IOException {
        Picture read = PictureFile.read(Files.write(folder.resolve("a"), file));
        assertThat(read.width()).isEqualTo(expected.width());
        assertThat(read.rgb()).isEqualTo(expected.rgb());
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 9, 255, 65535})
    void nonsenseIsUpright(int orientation) {
        for (String order : ORDERS) {
            assertThat(Exif.of(Pictures.oriented(order(order), orientation).array()).orientation()).isEqualTo(1);
        }
    }

    @Test
    void otherTypesAndNames() {
        for (String order : ORDERS) {
            ByteBuffer wide = Pictures.oriented(order(order), 0);
            wide.putShort(12, (short) 4).putInt(18, 6);
            assertThat(Exif.of(wide.array()).orientation()).isEqualTo(6);
            byte[] block = Pictures.oriented(order(order), 6).array();
            byte[] named = ByteBuffer.allocate(6 + block.length).put("Exif\0\0".getBytes(StandardCharsets.ISO_8859_1))
                    .put(block).array();
            assertThat(Exif.of(named).orientation()).isEqualTo(6);
        }
    }

    /** More entries than there are, cut anywhere, directories in a circle or outside, and noise. */
    @Test
    void damagedBlocks() {
        for (String order : ORDERS) {
            byte[] whole = Pictures.oriented(order(order), 6).array();
            assertThat(Exif.of(ByteBuffer.wrap(whole.clone()).order(order(order)).putShort(8, (short) 0xffff).array())
                    .orientation()).isEqualTo(6);
            for (int length = 0; length <= whole.length; length++) {
                assertThat(Exif.of(Arrays.copyOf(whole, length)).orientation()).isEqualTo(length < 22 ? 1 : 6);
            }
            for (int offset : new int[] {0, 4, 8, 26, -1, Integer.MIN_VALUE, Integer.MAX_VALUE}) {
                byte[] circle = Pictures.commented(order(order), "ASCII\0\0\0text".getBytes(StandardCharsets.US_ASCII));
                ByteBuffer.wrap(circle).order(order(order)).putInt(18, offset).putInt(22, 8).putInt(40, 8);
                assertThat(Exif.of(circle).userComment()).isEqualTo(offset == 26 ? "text" : null);
            }
            Random random = new Random(7);
            for (int i = 0; i < 2_000; i++) {
                byte[] noise = Pictures.commented(order(order), new byte[20]);
                for (int k = 0; k < 4; k++) {
                    noise[random.nextInt(noise.length)] = (byte) random.nextInt();
                }
                Exif exif = Exif.of(noise);
                assertThat(exif.orientation()).isBetween(1, 8);
                exif.userComment();
            }
        }
        assertThat(Exif.of((byte[]) null).orientation()).isEqualTo(1);
    }

    /** XMP may name an orientation too; browsers and this program go by EXIF alone. */
    @Test
    void orientationInXmpIsIgnored() throws IOException {
        byte[] png = Files.readAllBytes(Pictures.file("stored/rgba.png"));
        String xmp = "XML:com.adobe.xmp\0\0\0\0\0<rdf:Description tiff:Orientation=\"6\"/>";
        same(Pictures.withChunk(png, "iTXt", xmp.getBytes(StandardCharsets.UTF_8), false),
                PictureFile.read(Pictures.file("stored/rgba.png")));
    }

    @Test
    void comments() throws IOException {
        String text = "a small café, 猫\nSteps: 4, Sampler: Euler";
        for (String order : ORDERS) {
            for (Charset charset : new Charset[] {StandardCharsets.UTF_16BE, StandardCharsets.UTF_16LE}) {
                comment(order, "UNICODE\0", text.getBytes(charset), text);
            }
            comment(order, "UNICODE\0", "\uFEFFcat".getBytes(order(order) == ByteOrder.BIG_ENDIAN
                    ? StandardCharsets.UTF_16BE : StandardCharsets.UTF_16LE), "cat");
            comment(order, "UNICODE\0", text.getBytes(StandardCharsets.UTF_8), text);
            comment(order, "ASCII\0\0\0", "a cat\0\0".getBytes(StandardCharsets.US_ASCII), "a cat");
            comment(order, "\0\0\0\0\0\0\0\0", text.getBytes(StandardCharsets.UTF_8), text);
            comment(order, "ASCII\0\0\0", "caf\u00e9".getBytes(StandardCharsets.ISO_8859_1), "café");
            comment(order, "a cat on", " grass".getBytes(StandardCharsets.US_ASCII), "a cat on grass");
        }
    }

    private void comment(String order, String code, byte[] body, String expected) throws IOException {
        byte[] name = code.getBytes(StandardCharsets.US_ASCII);
        byte[] block = Pictures.commented(order(order),
                ByteBuffer.allocate(name.length + body.length).put(name).put(body).array());
        byte[] jpeg = Pictures.withExif(Files.readAllBytes(Pictures.file("stored/grey.jpg")), block);
        for (byte[] file : new byte[][] {jpeg, Pictures.webp(block)}) {
            assertThat(Exif.of(Files.write(folder.resolve("a"), file)).userComment()).isEqualTo(expected);
        }
    }
}
