package jdiffusion.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import jdiffusion.server.draw.Limits;
import org.junit.jupiter.api.Test;

/** Requests that were right once, changed at random: each is answered, none shows the inside, the server lives on. */
class FuzzTest {
    /** Ten thousand take a minute or two. */
    private static final int REQUESTS = Integer.getInteger("jdiffusion.server.fuzz", 1000);
    private static final int CLIENTS = 16;
    private static final Pattern LENGTH = Pattern.compile("Content-Length: (\\d{1,9})");
    private static final long SEED = Long.getLong("jdiffusion.server.fuzz.seed", 1);
    private static final List<String> VALUES = List.of("null", "-1", "0", "1e400", "\"\"", "[]", "{}", "true",
            "99999999999999999999", "\"\\u0000\\ud800\"", "[[[[1]]]]", "\"" + "a".repeat(3000) + "\"", "0.5",
            "\"NaN\"");
    private static final List<String> HEADERS = List.of("Content-Type: text/plain", "Content-Length: 5",
            "Content-Length: -1", "Transfer-Encoding: chunked", "Expect: 100-continue", "Host: evil.example",
            "Authorization: Basic ====", "Origin: null", "Last-Event-ID: 99999999999999999999",
            "X: " + "y".repeat(20000),
            "Content-Type: multipart/form-data", "Accept-Encoding: gzip", "Range: bytes=0-", "Upgrade: h2c");

    private static final byte[] SIGNATURE = {(byte) 0x89, 'P', 'N', 'G', 13, 10, 26, 10};
    private static final int LARGEST_BODY = 1 << 20;
    private static final int SLOW = 25;
    private static final int PIECES = 4;
    private static final int PAUSE_MILLIS = 20;

    private final Random random = new Random(SEED);
    private byte[] png;

    private static String json(String path, String body) {
        return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                + body.length() + "\r\nConnection: close\r\n\r\n" + body;
    }

    private static byte[] latin(String text) {
        return text.getBytes(StandardCharsets.ISO_8859_1);
    }

    private List<byte[]> right(TestServer server) {
        png = server.quick("a star", 1);
        String base64 = Base64.getEncoder().encodeToString(png);
        ByteArrayOutputStream form = new ByteArrayOutputStream();
        form.writeBytes(latin("--B\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\na\r\n--B\r\n"
                + "Content-Disposition: form-data; name=\"steps\"\r\n\r\n2\r\n--B\r\n"
                + "Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\r\n"));
        form.writeBytes(png);
        form.writeBytes(latin("\r\n--B--\r\n"));
        ByteArrayOutputStream edit = new ByteArrayOutputStream();
        edit.writeBytes(latin("POST /v1/images/edits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type:"
                + " multipart/form-data; boundary=B\r\nContent-Length: " + form.size() + "\r\n\r\n"));
        edit.writeBytes(form.toByteArray());
        return List.of(edit.toByteArray(),
                latin(json("/v1/images/generations", "{\"prompt\":\"a\",\"size\":\"32x32\",\"steps\":2,\"n\":1,"
                        + "\"seed\":1,\"stream\":false,\"loras\":[],\"response_format\":\"url\"}")),
                latin(json("/v1/images/generations", "{\"prompt\":\"a\",\"size\":\"32x32\",\"steps\":2,\"stream\":true,"
                        + "\"partial_images\":1}")),
                latin(json("/sdapi/v1/txt2img", "{\"prompt\":\"a\",\"width\":32,\"height\":32,\"steps\":2,"
                        + "\"cfg_scale\":2.0,\"sampler_name\":\"Euler a\",\"batch_size\":1,\"override_settings\":{}}")),
                latin(json("/sdapi/v1/img2img", "{\"prompt\":\"a\",\"steps\":2,\"denoising_strength\":0.5,"
                        + "\"width\":32,\"height\":32,\"resize_mode\":1,\"init_images\":[\"" + base64 + "\"],\"mask\":\"" + base64 + "\"}")),
                latin(json("/sdapi/v1/png-info", "{\"image\":\"" + base64 + "\"}")),
                latin(json("/sdapi/v1/options", "{\"sd_model_checkpoint\":\"shapes\"}")),
                latin(json("/api/v1/jobs", "{\"prompt\":\"a\",\"width\":32,\"height\":32,\"steps\":2,\"seed\":\"1\","
                        + "\"guidance\":2.5,\"skip_layers\":{\"layers\":[1]},\"sampler\":\"euler\",\"eta\":0.0}")),
                latin(json("/api/v1/plan", "{\"prompt\":\"a\",\"sigmas\":[1,0.5],\"init\":\"" + base64 + "\"}")),
                latin(json("/mcp", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\",\"params\":{\"_meta\":{"
                        + "\"progressToken\":1}}}")),
                latin(json("/mcp", "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"method\":\"tools/call\",\"params\":{\"name\":"
                        + "\"edit_image\",\"arguments\":{\"prompt\":\"a\",\"steps\":2,\"strength\":0.5,\"image\":\""
                        + base64 + "\"}}}")),
                latin(json("/mcp", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},{\"jsonrpc\":\"2.0\","
                        + "\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}]")),
                latin("GET /api/v1/images?limit=3&before=00001-1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        + "\r\n"),
                latin("GET /sdapi/v1/progress?skip_current_image=false HTTP/1.1\r\nHost: localhost\r\n"
                        + "Connection: close\r\n\r\n"));
    }

    /** One to four changes, of bytes or of what bytes mean. */
    private byte[] changed(byte[] request) {
        byte[] bytes = request;
        for (int i = random.nextInt(4); i >= 0; i--) {
            bytes = switch (random.nextInt(8)) {
                case 0 -> {
                    byte[] flipped = bytes.clone();
                    if (flipped.length > 0) {
                        flipped[random.nextInt(flipped.length)] = (byte) random.nextInt(256);
                    }
                    yield flipped;
                }
                case 1 -> Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
                case 2 -> latin(new String(bytes, StandardCharsets.ISO_8859_1).replaceFirst("\r\n",
                        "\r\n" + HEADERS.get(random.nextInt(HEADERS.size())).replace("\\", "\\\\") + "\r\n"));
                case 3 -> {
                    int from = random.nextInt(bytes.length + 1);
                    int to = Math.min(bytes.length, from + random.nextInt(200));
                    byte[] twice = Arrays.copyOf(bytes, bytes.length + to - from);
                    System.arraycopy(bytes, from, twice, to, bytes.length - from);
                    yield twice;
                }
                case 4 -> pngChanged(bytes);
                case 5 -> random.nextInt(10) == 0 ? padded(bytes) : valueChanged(bytes);
                default -> valueChanged(bytes);
            };
        }
        return bytes;
    }

    /** Damage within a PNG's chunk whose checksum is right, so that it is looked at: sizes, kinds, packed rows. */
    private byte[] damagedPng() {
        byte[] damaged = png.clone();
        List<Integer> chunks = new ArrayList<>();
        for (int at = SIGNATURE.length; at < damaged.length; at += 12 + ByteBuffer.wrap(damaged).getInt(at)) {
            chunks.add(at);
        }
        int chunk = chunks.get(random.nextInt(chunks.size()));
        int length = ByteBuffer.wrap(damaged).getInt(chunk);
        for (int i = random.nextInt(3); i >= 0; i--) {
            damaged[chunk + 4 + random.nextInt(length + 4)] = (byte) random.nextInt(256);
        }
        CRC32 crc = new CRC32();
        crc.update(damaged, chunk + 4, length + 4);
        ByteBuffer.wrap(damaged).putInt(chunk + 8 + length, (int) crc.getValue());
        return damaged;
    }

    /** The request with a damaged picture in the place of its own, if it has one. */
    private byte[] pngChanged(byte[] bytes) {
        byte[] damaged = damagedPng();
        return latin(new String(bytes, StandardCharsets.ISO_8859_1)
                .replace(new String(png, StandardCharsets.ISO_8859_1),
                        new String(damaged, StandardCharsets.ISO_8859_1))
                .replace(Base64.getEncoder().encodeToString(png), Base64.getEncoder().encodeToString(damaged)));
    }

    /** With a body that is larger than the server takes, whatever its length says. */
    private byte[] padded(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        if (random.nextBoolean()) {
            text = text.replaceFirst("Content-Length: \\d+", "Content-Length: " + (LARGEST_BODY + bytes.length));
        }
        return latin(text + " ".repeat(LARGEST_BODY + 1));
    }

    /** Another value for a field of the JSON, with the length put right. */
    private byte[] valueChanged(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        int body = text.indexOf("\r\n\r\n");
        if (body < 0 || !text.startsWith("{", body + 4)) {
            return bytes;
        }
        List<Integer> colons = new ArrayList<>();
        for (int at = text.indexOf("\":", body); at > 0; at = text.indexOf("\":", at + 1)) {
            colons.add(at + 2);
        }
        if (colons.isEmpty()) {
            return bytes;
        }
        int start = colons.get(random.nextInt(colons.size()));
        int end = start;
        while (end < text.length() && ",}".indexOf(text.charAt(end)) < 0) {
            end++;
        }
        String changed = text.substring(0, start) + VALUES.get(random.nextInt(VALUES.size())) + text.substring(end);
        return latin(changed.replaceFirst("Content-Length: \\d+",
                "Content-Length: " + (changed.length() - changed.indexOf("\r\n\r\n") - 4)));
    }

    @Test
    void changedRequestsAreAnswered() throws Exception {
        try (TestServer server = new TestServer(s -> {
            s.limits = new Limits(64 * 64, 4, 2, LARGEST_BODY);
            return s;
        })) {
            List<byte[]> right = right(server);
            for (byte[] request : right) {
                assertThat(answer(server, request, 60_000, false)).matches("(?s)HTTP/1.1 20[02] .*");
            }
            List<Future<?>> all = new ArrayList<>();
            try (ExecutorService clients = Executors.newFixedThreadPool(CLIENTS)) {
                for (int i = 0; i < REQUESTS; i++) {
                    byte[] request = changed(right.get(random.nextInt(right.size())));
                    String said = "request " + i + " of seed " + SEED;
                    boolean slow = i % SLOW == 0;
                    all.add(clients.submit(() -> check(server, request, slow, said)));
                }
            }
            for (Future<?> one : all) {
                one.get();
            }
            assertThat(server.log()).noneMatch(line -> line.startsWith("unexpected"));
            String id = server.job("{\"prompt\":\"a star\",\"seed\":1," + TestServer.QUICK + "}").get("id").asText();
            server.await(id, "completed");
            assertThat(server.get("/api/v1/jobs/" + id + "/images/0.png").body()).isEqualTo(server.quick("a star", 1));
        }
    }

    private static Void check(TestServer server, byte[] request, boolean slow, String name) throws IOException,
            InterruptedException {
        String answer = answer(server, request, 2000, slow);
        String said = name + ":\n" + new String(request, StandardCharsets.ISO_8859_1) + "\nanswer:\n" + answer;
        if (!answer.isEmpty()) {
            assertThat(answer).as(said).matches("(?s)HTTP/1\\.[01] ([1-4]\\d\\d|50[35]) .*");
        }
        assertThat(answer).as(said).doesNotContain("Exception").doesNotContain("\tat ");
        return null;
    }

    /** Whether as many bytes come as the request says, as far as it can be read. */
    private static boolean isWhole(byte[] request) {
        String text = new String(request, StandardCharsets.ISO_8859_1);
        int body = text.indexOf("\r\n\r\n");
        Matcher length = LENGTH.matcher(text);
        return body > 0 && (!length.find() || Long.parseLong(length.group(1)) <= text.length() - body - 4);
    }

    /** What comes back until the server closes; a request that is cut off ends when the client says no more. */
    private static String answer(TestServer server, byte[] request, int millis, boolean slow)
            throws IOException, InterruptedException {
        try (Socket socket = new Socket("127.0.0.1", server.server.address().getPort())) {
            socket.setSoTimeout(millis);
            OutputStream out = socket.getOutputStream();
            InputStream in = socket.getInputStream();
            ByteArrayOutputStream answer = new ByteArrayOutputStream();
            try {
                int piece = slow ? request.length / PIECES + 1 : request.length;
                for (int at = 0; at < request.length; at += piece) {
                    out.write(request, at, Math.min(piece, request.length - at));
                    if (slow) {
                        Thread.sleep(PAUSE_MILLIS);
                    }
                }
                if (!isWhole(request)) {
                    socket.shutdownOutput();
                }
                byte[] chunk = new byte[8192];
                for (int n = in.read(chunk); n >= 0; n = in.read(chunk)) {
                    answer.write(chunk, 0, n);
                }
            } catch (SocketTimeoutException e) {
                // It waits for the rest of the request, or keeps the connection.
            } catch (IOException e) {
                // Reset: the rest of a request that was refused is not read.
            }
            return answer.toString(StandardCharsets.UTF_8);
        }
    }
}
