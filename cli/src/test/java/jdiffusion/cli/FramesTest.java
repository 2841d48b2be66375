package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureSplitter;
import jdiffusion.model.image.Jpeg;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;

/** What lies between the frames that come and the pictures that are watched. */
class FramesTest {
    private final List<String> notes = new ArrayList<>();

    private static Picture grey(int value) {
        byte[] rgb = new byte[3 * 70 * 40];
        java.util.Arrays.fill(rgb, (byte) value);
        return new Picture(70, 40, rgb);
    }

    @Test
    void theNewestFrameCounts() throws InterruptedException {
        FrameQueue queue = new FrameQueue(false, notes::add);
        for (int i = 1; i <= 3; i++) {
            queue.put(new byte[i]);
        }
        assertThat(queue.take().bytes()).hasSize(3);
        queue.put(new byte[4]);
        queue.end();
        Frame last = queue.take();
        assertThat(last.bytes()).hasSize(4);
        assertThat(last.number()).isEqualTo(4);
        assertThat(queue.take()).isNull();
        assertThat(queue.describe()).isEqualTo("4 read, 2 dropped");
    }

    @Test
    void everyFrameWaits() throws Exception {
        FrameQueue queue = new FrameQueue(true, notes::add);
        CompletableFuture<Void> reader = CompletableFuture.runAsync(() -> {
            try {
                for (int i = 1; i <= 20; i++) {
                    queue.put(new byte[i]);
                }
                queue.fail(new InputException("broke"));
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        for (int i = 1; i <= 20; i++) {
            assertThat(queue.take().bytes()).hasSize(i);
        }
        assertThatThrownBy(queue::take).hasMessage("broke");
        reader.get();
        assertThat(queue.describe()).isEqualTo("20 read, 0 dropped");
    }

    @Test
    void aFewNotesOnly() {
        FrameQueue queue = new FrameQueue(false, notes::add);
        for (int i = 0; i < 100; i++) {
            queue.broken("bad " + i);
        }
        assertThat(notes).hasSize(5).startsWith("bad 0; the frame is skipped");
        assertThat(queue.describe()).isEqualTo("0 read, 0 dropped, 100 broken");
    }

    @Test
    void similarFrames() {
        SimilarFrames similar = new SimilarFrames(2);
        assertThat(similar.skips(grey(100))).isFalse();
        assertThat(similar.skips(grey(102))).isTrue();
        assertThat(similar.skips(grey(98))).isTrue();
        // Slowly, but away from what was drawn.
        assertThat(similar.skips(grey(103))).isFalse();
        Picture corner = grey(103);
        for (int y = 35; y < 40; y++) {
            for (int i = 3 * (y * 70 + 66); i < 3 * (y * 70 + 70); i++) {
                corner.rgb()[i] = (byte) 200;
            }
        }
        assertThat(similar.skips(corner)).isFalse();
    }

    @Test
    void theClock() {
        StreamClock clock = new StreamClock();
        assertThat(clock.summary("frames: 0")).isEqualTo("frames: 0, 0 drawn");
        long start = 1_000_000_000;
        clock.started(start);
        for (int i = 1; i <= 100; i++) {
            clock.wrote(start, start + i * 10_000_000L);
        }
        assertThat(clock.report(start + 900_000_000, 1)).isNull();
        assertThat(clock.report(start + 2_000_000_000, 1))
                .isEqualTo("50.0 frames a second, latency 500 ms median, 950 ms 95 %");
        assertThat(clock.report(start + 4_000_000_000L, 1)).isNull();
        clock.similar();
        assertThat(clock.summary("frames: 101")).isEqualTo("frames: 101, 1 like the one before, 100 drawn: 100.0"
                + " frames a second, latency 500 ms median, 950 ms 95 %");
    }

    private static InputStream request(MjpegServer server, String first, String host) throws IOException {
        Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port());
        socket.getOutputStream().write((first + " HTTP/1.1\r\n" + (host == null ? "" : "Host: " + host + "\r\n")
                + "Connection: close\r\n\r\n").getBytes(StandardCharsets.ISO_8859_1));
        socket.getOutputStream().flush();
        return new BufferedInputStream(socket.getInputStream());
    }

    private static String answer(MjpegServer server, String first, String host) throws IOException {
        try (InputStream in = request(server, first, host)) {
            return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }

    @Test
    void theServer() throws IOException {
        byte[] one = Jpeg.encode(grey(50), 90);
        byte[] two = Jpeg.encode(grey(90), 80);
        try (MjpegServer server = MjpegServer.start("127.0.0.1", 0, "image/jpeg", notes::add)) {
            String host = "127.0.0.1:" + server.port();
            assertThat(notes).containsExactly("watch at http://" + host + "/");
            assertThat(answer(server, "GET /", host)).startsWith("HTTP/1.1 200").contains("<img src=\"stream\"");
            assertThat(answer(server, "GET /picture", "localhost")).startsWith("HTTP/1.1 404");
            assertThat(answer(server, "GET /other", host)).startsWith("HTTP/1.1 404");
            assertThat(answer(server, "POST /", host)).startsWith("HTTP/1.1 405");
            assertThat(answer(server, "GET /", "evil.example:" + server.port())).startsWith("HTTP/1.1 403");
            assertThat(answer(server, "GET /stream", "10.0.0.1")).startsWith("HTTP/1.1 403");
            server.write(null, one);
            assertThat(answer(server, "GET /picture", "[::1]:80")).startsWith("HTTP/1.1 200")
                    .endsWith(new String(one, StandardCharsets.ISO_8859_1));
            try (InputStream in = request(server, "GET /stream", host)) {
                PictureSplitter splitter = new PictureSplitter(in, why -> {
                    throw new AssertionError(why);
                });
                assertThat(splitter.next()).isEqualTo(one);
                server.write(null, two);
                assertThat(splitter.next()).isEqualTo(two);
            }
        }
    }
}
