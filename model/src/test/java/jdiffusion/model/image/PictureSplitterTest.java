package jdiffusion.model.image;

import static org.assertj.core.api.Assertions.assertThat;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriteParam;
import javax.imageio.ImageWriter;
import javax.imageio.stream.MemoryCacheImageOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pictures one after the other, whole, damaged and with other things between them. */
class PictureSplitterTest {
    private final List<String> broken = new ArrayList<>();

    @TempDir
    private Path folder;

    private static Picture picture(int seed) {
        byte[] rgb = new byte[3 * 37 * 23];
        new Random(seed).nextBytes(rgb);
        return new Picture(37, 23, rgb);
    }

    private static byte[] png(int seed) {
        return Png.encode(picture(seed), Map.of());
    }

    private static byte[] jpeg(int seed) {
        return Jpeg.encode(picture(seed), 90);
    }

    private static byte[] progressive() throws IOException {
        ImageWriter writer = ImageIO.getImageWritersByFormatName("jpeg").next();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (MemoryCacheImageOutputStream out = new MemoryCacheImageOutputStream(bytes)) {
            ImageWriteParam param = writer.getDefaultWriteParam();
            param.setProgressiveMode(ImageWriteParam.MODE_DEFAULT);
            writer.setOutput(out);
            writer.write(null, new IIOImage(new BufferedImage(50, 40, BufferedImage.TYPE_INT_RGB), null, null), param);
        }
        return bytes.toByteArray();
    }

    private static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Arrays.stream(parts).forEach(out::writeBytes);
        return out.toByteArray();
    }

    private List<byte[]> split(InputStream in) throws IOException {
        PictureSplitter splitter = new PictureSplitter(in, broken::add);
        List<byte[]> all = new ArrayList<>();
        for (byte[] file = splitter.next(); file != null; file = splitter.next()) {
            all.add(file);
        }
        return all;
    }

    private List<byte[]> split(byte[]... parts) throws IOException {
        return split(new ByteArrayInputStream(joined(parts)));
    }

    @Test
    void filesOfBothKinds() throws IOException {
        byte[][] files = {jpeg(1), png(2), png(3), progressive(), jpeg(4), jpeg(5)};
        assertThat(split(files)).containsExactly(files);
        assertThat(broken).isEmpty();
        // Byte by byte, as a slow pipe gives them.
        assertThat(split(new ByteArrayInputStream(joined(files)) {
            @Override
            public synchronized int read(byte[] to, int from, int length) {
                return super.read(to, from, Math.min(1, length));
            }
        })).containsExactly(files);
        assertThat(split()).isEmpty();
    }

    @Test
    void whatStandsBetweenIsPassedOver() throws IOException {
        byte[] head = "--part\r\nContent-Type: image/jpeg\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1);
        byte[] like = {(byte) 0x89, 'P', 'N', 'G', (byte) 0xff, (byte) 0xd8, 0, (byte) 0xff};
        assertThat(split(head, jpeg(1), head, like, png(2), like)).containsExactly(jpeg(1), png(2));
        assertThat(broken).isEmpty();
    }

    /** Nothing is read beyond the end of a file, for which a live stream would have to wait. */
    @Test
    void aFileIsThereWithItsLastByte() throws IOException {
        for (byte[] file : new byte[][] {jpeg(1), png(1)}) {
            InputStream waits = new ByteArrayInputStream(file) {
                @Override
                public synchronized int read(byte[] to, int from, int length) {
                    if (available() == 0) {
                        throw new AssertionError("would wait");
                    }
                    return super.read(to, from, length);
                }
            };
            assertThat(new PictureSplitter(waits, broken::add).next()).isEqualTo(file);
        }
    }

    @Test
    void afterABrokenFileTheNextOneCounts() throws IOException {
        byte[] whole = png(7);
        byte[] flipped = png(8);
        flipped[flipped.length / 2] ^= 1;
        byte[] cutPng = Arrays.copyOf(png(9), 300);
        byte[] cutJpeg = Arrays.copyOf(jpeg(9), jpeg(9).length - 100);
        byte[] cutHead = Arrays.copyOf(jpeg(9), 30);
        assertThat(split(flipped, whole)).containsExactly(whole);
        assertThat(broken).containsExactly("a PNG file is damaged");
        assertThat(split(cutPng, whole, jpeg(1))).containsExactly(whole, jpeg(1));
        assertThat(split(cutJpeg, jpeg(2), whole)).containsExactly(jpeg(2), whole);
        assertThat(split(cutHead, jpeg(2), whole)).contains(whole);
        broken.clear();
        assertThat(split(jpeg(1), cutJpeg)).containsExactly(jpeg(1));
        assertThat(broken).containsExactly("the stream ends within a picture");
    }

    /** Whatever is done to a stream, it is read to its end, and all that is handed over is bounded by signatures. */
    @Test
    void damagedStreams() throws IOException {
        byte[] stream = joined(jpeg(1), png(2), jpeg(3), png(4));
        Random random = new Random(1);
        for (int i = 0; i < 2000; i++) {
            byte[] damaged = Arrays.copyOf(stream, random.nextInt(stream.length));
            for (int n = random.nextInt(4); n > 0 && damaged.length > 0; n--) {
                damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
            }
            assertThat(split(damaged)).allMatch(file -> file.length > 4);
        }
    }

    @Test
    void bytesAndFilesAreReadAlike() throws IOException {
        for (String name : new String[] {"a.png", "a.jpg"}) {
            byte[] bytes = name.endsWith("png") ? png(3) : jpeg(3);
            Path file = Files.write(folder.resolve(name), bytes);
            assertThat(PictureFile.read(bytes, "x").rgb()).isEqualTo(PictureFile.read(file).rgb());
        }
        assertThat(PictureFile.read(png(3), "x").rgb()).isEqualTo(picture(3).rgb());
    }

    @Test
    void theMiddleIsCut() {
        byte[] rgb = new byte[3 * 8 * 2];
        for (int i = 0; i < rgb.length; i++) {
            rgb[i] = (byte) (i / 3 % 8);
        }
        Picture wide = new Picture(8, 2, rgb);
        assertThat(wide.fitted(2, 2).rgb()).containsExactly(3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4);
        assertThat(wide.fitted(8, 2)).isSameAs(wide);
        assertThat(wide.fitted(16, 4).rgb()).isEqualTo(wide.resized(16, 4).rgb());
        Picture high = new Picture(1, 100, new byte[300]);
        assertThat(high.fitted(64, 16).width()).isEqualTo(64);
    }
}
