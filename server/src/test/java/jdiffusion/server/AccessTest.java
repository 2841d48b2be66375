package jdiffusion.server;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import jdiffusion.server.draw.Limits;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class AccessTest {
    private static TestServer free;
    private static TestServer locked;

    @BeforeAll
    static void start() {
        free = new TestServer(s -> {
            s.hosts = List.of("Pictures.example");
            s.limits = new Limits(1 << 20, 200, 16, 1000);
            return s;
        });
        locked = new TestServer(s -> {
            s.keys = List.of("one", "two");
            return s;
        });
    }

    @AfterAll
    static void stop() {
        free.close();
        locked.close();
    }

    /** The JDK's client lets nobody choose a Host. */
    private static String raw(TestServer server, String request) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", server.server.address().getPort())) {
            socket.setSoTimeout(10_000);
            OutputStream out = socket.getOutputStream();
            out.write(request.replace("\n", "\r\n").getBytes(StandardCharsets.ISO_8859_1));
            InputStream in = socket.getInputStream();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    @ParameterizedTest
    @CsvSource({"127.0.0.1:8080,200", "localhost,200", "LOCALHOST:1,200", "[::1]:80,200", "192.168.1.7,200",
        "pictures.example,200", "evil.example,403", "localhost.evil.example,403", "127.0.0.1.evil.example,403",
        "'a b',400", "'',400"})
    void answersOnlyToItsNames(String host, int status) throws IOException {
        String answer = raw(free, "GET /api/v1/options HTTP/1.1\nHost: " + host + "\nConnection: close\n\n");
        assertThat(answer).startsWith("HTTP/1.1 " + status + " ");
    }

    @Test
    void otherSitesPagesAreRefused() throws IOException, InterruptedException {
        for (String origin : List.of("https://evil.example", "null", "http://localhost:1")) {
            HttpResponse<byte[]> answer = free.send(free.request("/api/v1/options").header("Origin", origin));
            assertThat(answer.statusCode()).as(origin).isEqualTo(403);
        }
        String own = free.server.address().toString();
        assertThat(free.send(free.request("/api/v1/options").header("Origin", own)).statusCode()).isEqualTo(200);
        assertThat(free.get("/api/v1/options").headers().map()).doesNotContainKey("access-control-allow-origin");
    }

    @Test
    void aKeyIsNeededWhereThereIsOne() throws IOException, InterruptedException {
        String path = "/v1/models";
        HttpResponse<byte[]> without = locked.get(path);
        assertThat(without.statusCode()).isEqualTo(401);
        assertThat(without.headers().firstValue("WWW-Authenticate").orElseThrow()).contains("Basic", "Bearer");
        assertThat(TestServer.node(without).at("/error/code").asText()).isEqualTo("invalid_api_key");
        String basic = "Basic " + Base64.getEncoder().encodeToString("anybody:two".getBytes(StandardCharsets.UTF_8));
        for (String right : List.of("Bearer one", "bearer two", basic)) {
            assertThat(locked.send(locked.request(path).header("Authorization", right)).statusCode()).isEqualTo(200);
        }
        for (String wrong : List.of("Bearer", "Bearer three", "Bearer ", "Basic !!", "Basic b25l", "Digest one")) {
            assertThat(locked.send(locked.request(path).header("Authorization", wrong)).statusCode())
                    .isEqualTo(401);
        }
        assertThat(locked.get("/healthz").statusCode()).isEqualTo(200);
        assertThat(locked.get("/readyz").statusCode()).isEqualTo(200);
        assertThat(locked.get("/metrics").statusCode()).isEqualTo(401);
        assertThat(locked.get("/api/v1/options").statusCode()).isEqualTo(401);
        assertThat(String.join("\n", locked.log())).contains("key ").doesNotContain("one").doesNotContain("two");
    }

    @Test
    void wrongAddressesAndMethods() throws IOException, InterruptedException {
        assertThat(free.get("/nothing").statusCode()).isEqualTo(404);
        assertThat(TestServer.node(free.get("/v1/nothing")).at("/error/type").asText())
                .isEqualTo("invalid_request_error");
        assertThat(free.get("/api/v1/images/../../etc/passwd").statusCode()).isIn(400, 404);
        assertThat(free.get("/api/v1/images/%2e%2e%2fsecret.png").statusCode()).isIn(400, 404);
        HttpResponse<byte[]> wrong = free.send(free.request("/v1/models").DELETE());
        assertThat(wrong.statusCode()).isEqualTo(405);
        assertThat(wrong.headers().firstValue("Allow").orElseThrow()).isEqualTo("GET, HEAD, OPTIONS");
        HttpResponse<byte[]> options = free.send(free.request("/v1/images/generations").method("OPTIONS",
                HttpRequest.BodyPublishers.noBody()));
        assertThat(options.statusCode()).isEqualTo(204);
        assertThat(options.headers().firstValue("Allow").orElseThrow()).isEqualTo("OPTIONS, POST");
        HttpResponse<byte[]> head = free.send(free.request("/healthz").HEAD());
        assertThat(head.statusCode()).isEqualTo(200);
        assertThat(head.body()).isEmpty();
    }

    @Test
    void bodiesThatAreTooLargeOrNoJson() throws IOException, InterruptedException {
        String path = "/api/v1/jobs";
        assertThat(free.post(path, "{\"prompt\":\"" + "x".repeat(1000) + "\"}").statusCode()).isEqualTo(413);
        HttpRequest.BodyPublisher unknownLength = HttpRequest.BodyPublishers.ofInputStream(() ->
                new ByteArrayInputStream(new byte[5000]));
        assertThat(free.send(free.request(path).header("Content-Type", "application/json").POST(unknownLength))
                .statusCode()).isEqualTo(413);
        for (String body : List.of("", "{", "[]", "\"a\"", "{} {}", "[".repeat(900), "{\"prompt\":1}")) {
            HttpResponse<byte[]> answer = free.post(path, body);
            assertThat(answer.statusCode()).as(body).isEqualTo(400);
            assertThat(TestServer.node(answer).at("/error/message").asText()).isNotEmpty().doesNotContain("Exception");
        }
        assertThat(TestServer.node(free.post(path, "{\n\"a")).at("/error/message").asText())
                .isEqualTo("the request's body is not JSON at line 2, column 3 (it ends too early)");
        assertThat(free.send(free.request(path).header("Content-Type", "text/plain")
                .POST(HttpRequest.BodyPublishers.ofString("{}"))).statusCode()).isEqualTo(415);
    }

    /** It may be gone as well, so nothing is drawn for it; it is no fault of the server. */
    @Test
    void aClientThatClosesItsSideIsToldSo() throws IOException {
        try (Socket socket = new Socket("127.0.0.1", free.server.address().getPort())) {
            socket.setSoTimeout(30_000);
            String body = "{\"prompt\":\"a\",\"size\":\"128x128\",\"steps\":200}";
            socket.getOutputStream().write(("POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type:"
                    + " application/json\r\nContent-Length: " + body.length() + "\r\n\r\n" + body)
                    .getBytes(StandardCharsets.ISO_8859_1));
            socket.shutdownOutput();
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(answer).startsWith("HTTP/1.1 408 ").contains("closed its connection");
        }
    }

    @Test
    void metricsCountRequests() throws IOException, InterruptedException {
        free.get("/healthz");
        String metrics = new String(free.get("/metrics").body(), StandardCharsets.UTF_8);
        assertThat(metrics).contains("jdiffusion_requests_total{api=\"operation\",outcome=\"2xx\",route=\"/healthz\"}",
                "jdiffusion_queue_length 0.0", "jdiffusion_running 0.0");
        assertThat(metrics).doesNotContain("/nothing");
    }
}
