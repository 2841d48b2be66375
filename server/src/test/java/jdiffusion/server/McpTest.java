package jdiffusion.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The Model Context Protocol by requests of our own; {@link NpmClientsTest} has those of its SDK. */
class McpTest {
    private static final String CURRENT = "2026-07-28";
    private static final String META = "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"" + CURRENT
            + "\",\"io.modelcontextprotocol/clientCapabilities\":{}}";
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = new TestServer();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static HttpRequest.Builder message(String body, String... headers) {
        HttpRequest.Builder request = TestServer.json(server.request("/mcp"), body)
                .header("Accept", "application/json, text/event-stream");
        return headers.length == 0 ? request : request.headers(headers);
    }

    private static HttpResponse<byte[]> send(String body, String... headers) throws IOException, InterruptedException {
        return server.send(message(body, headers));
    }

    private static String request(String method, String parameters) {
        return "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"" + method + "\",\"params\":{" + parameters + "}}";
    }

    /** A request of the current version with the headers that it asks for. */
    private static HttpResponse<byte[]> current(String method, String parameters) throws IOException,
            InterruptedException {
        return send(request(method, META + (parameters.isEmpty() ? "" : "," + parameters)), "MCP-Protocol-Version",
                CURRENT, "Mcp-Method", method);
    }

    private static String call(String tool, String arguments) {
        return request("tools/call", "\"name\":\"" + tool + "\",\"arguments\":{" + arguments + "}");
    }

    /** The result of a call, whether it comes alone or at the end of a stream. */
    private static JsonNode result(HttpResponse<byte[]> response) throws IOException {
        boolean stream = response.headers().firstValue("Content-Type").orElse("").equals("text/event-stream");
        JsonNode answer = stream ? TestServer.events(new ByteArrayInputStream(response.body())).getLast().data()
                : TestServer.node(response);
        assertThat(response.statusCode()).as(answer.toString()).isEqualTo(200);
        assertThat(answer.get("id").asInt()).isEqualTo(7);
        return answer.get("result");
    }

    private static byte[] image(JsonNode result, int i) {
        JsonNode content = result.get("content").get(i);
        assertThat(content.get("type").asText()).as(result.toString()).isEqualTo("image");
        return Base64.getDecoder().decode(content.get("data").asText());
    }

    @ParameterizedTest
    @CsvSource({"2025-11-25,2025-11-25", "2025-06-18,2025-06-18", "2025-03-26,2025-03-26", "2024-01-01,2025-11-25"})
    void aHandshakeSettlesOnAVersion(String asked, String agreed) throws IOException, InterruptedException {
        HttpResponse<byte[]> response = send(request("initialize", "\"protocolVersion\":\"" + asked
                + "\",\"capabilities\":{},\"clientInfo\":{\"name\":\"test\",\"version\":\"1\"}"));
        JsonNode result = result(response);
        assertThat(result.get("protocolVersion").asText()).isEqualTo(agreed);
        assertThat(result.at("/capabilities/tools").isObject()).isTrue();
        assertThat(result.at("/serverInfo/name").asText()).isEqualTo("jdiffusion");
        assertThat(response.headers().firstValue("Mcp-Session-Id")).isPresent();
        HttpResponse<byte[]> noted = send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}",
                "MCP-Protocol-Version", agreed);
        assertThat(noted.statusCode()).isEqualTo(202);
        assertThat(noted.body()).isEmpty();
        assertThat(result(send(request("ping", ""), "MCP-Protocol-Version", agreed))).isEmpty();
    }

    @Test
    void theCurrentVersionNeedsNone() throws IOException, InterruptedException {
        JsonNode discovered = result(current("server/discover", ""));
        assertThat(discovered.get("supportedVersions").get(0).asText()).isEqualTo(CURRENT);
        assertThat(discovered.get("resultType").asText()).isEqualTo("complete");
        assertThat(discovered.at("/_meta/io.modelcontextprotocol~1serverInfo/name").asText()).isEqualTo("jdiffusion");
        assertThat(discovered.get("ttlMs").asInt()).isPositive();
        JsonNode tools = result(current("tools/list", ""));
        assertThat(tools.get("cacheScope").asText()).isEqualTo("private");
        assertThat(tools.get("tools").findValuesAsText("name")).containsExactly("generate_image", "edit_image",
                "list_models");
        HttpResponse<byte[]> gone = current("ping", "");
        assertThat(gone.statusCode()).isEqualTo(404);
        assertThat(TestServer.node(gone).at("/error/code").asInt()).isEqualTo(-32601);
    }

    @Test
    void headersThatSaySomethingElseAreRefused() throws IOException, InterruptedException {
        String list = request("tools/list", META);
        String models = request("tools/call", META + ",\"name\":\"list_models\"");
        Map<HttpResponse<byte[]>, Integer> wrong = Map.of(
                send(list, "MCP-Protocol-Version", CURRENT), -32020,
                send(list, "MCP-Protocol-Version", CURRENT, "Mcp-Method", "tools/call"), -32020,
                send(list, "MCP-Protocol-Version", "2025-11-25", "Mcp-Method", "tools/list"), -32020,
                send(models, "MCP-Protocol-Version", CURRENT, "Mcp-Method", "tools/call", "Mcp-Name", "other"), -32020,
                send(request("tools/list", ""), "MCP-Protocol-Version", "2099-01-01"), -32022,
                send(request("tools/list", ""), "MCP-Protocol-Version", CURRENT, "Mcp-Method", "tools/list"), -32602);
        for (Map.Entry<HttpResponse<byte[]>, Integer> one : wrong.entrySet()) {
            JsonNode answer = TestServer.node(one.getKey());
            assertThat(one.getKey().statusCode()).as(answer.toString()).isEqualTo(400);
            assertThat(answer.at("/error/code").asInt()).as(answer.toString()).isEqualTo(one.getValue());
            assertThat(answer.get("id").asInt()).isEqualTo(7);
        }
        String encoded = "=?base64?" + Base64.getEncoder().encodeToString("list_models".getBytes()) + "?=";
        assertThat(result(send(models, "MCP-Protocol-Version", CURRENT, "Mcp-Method", "tools/call", "Mcp-Name",
                encoded)).at("/structuredContent/models/0/model").asText()).isEqualTo("shapes");
    }

    @Test
    void toolsSayWhatTheyTake() throws IOException, InterruptedException {
        JsonNode tools = result(send(request("tools/list", ""))).get("tools");
        JsonNode generate = tools.get(0).get("inputSchema");
        assertThat(generate.get("required").get(0).asText()).isEqualTo("prompt");
        assertThat(generate.at("/properties/width/multipleOf").asInt()).isEqualTo(16);
        assertThat(generate.at("/properties/width/description").asText()).contains("128");
        assertThat(generate.at("/properties/images/maximum").asInt()).isEqualTo(16);
        assertThat(generate.at("/properties/steps/maximum").asInt()).isEqualTo(200);
        assertThat(generate.at("/properties/model/enum/0").asText()).isEqualTo("shapes");
        assertThat(tools.get(1).at("/inputSchema/required")).hasSize(2);
    }

    @Test
    void drawsTheSamePicturesAsTheLibrary() throws IOException, InterruptedException {
        JsonNode result = result(send(call("generate_image", "\"prompt\":\"a red circle\",\"seed\":3,\"images\":2,"
                + TestServer.QUICK)));
        assertThat(image(result, 0)).isEqualTo(server.quick("a red circle", 3));
        assertThat(image(result, 2)).isEqualTo(server.quick("a red circle", 4));
        assertThat(result.get("isError").asBoolean()).isFalse();
        String said = result.get("content").get(1).get("text").asText();
        assertThat(said).contains("seed 3", "a red circle", "Steps: 2");
        String drawn = said.substring("Picture ".length(), said.indexOf(','));

        byte[] init = image(result, 0);
        byte[] white = new byte[3 * 32 * 32];
        Arrays.fill(white, 0, white.length / 2, (byte) 255);
        Picture mask = new Picture(32, 32, white);
        byte[] expected = server.expected("a blue star", builder -> builder.size(32, 32).steps(3).seed(8)
                .init(PictureFile.read(init, "init"), 1).mask(mask));
        String masked = "\"prompt\":\"a blue star\",\"steps\":3,\"seed\":8,\"mask\":\""
                + Base64.getEncoder().encodeToString(Png.encode(mask, Map.of())) + "\",\"image\":\"";
        for (String image : List.of(drawn, Base64.getEncoder().encodeToString(init))) {
            JsonNode edited = result(send(call("edit_image", masked + image + "\"")));
            assertThat(image(edited, 0)).isEqualTo(expected);
        }
        JsonNode jpeg = result(send(call("generate_image", "\"prompt\":\"a\",\"format\":\"jpeg\","
                + TestServer.QUICK)));
        assertThat(jpeg.at("/content/0/mimeType").asText()).isEqualTo("image/jpeg");
        assertThat(PictureFile.read(image(jpeg, 0), "jpeg").width()).isEqualTo(32);
    }

    @Test
    void picturesGrow() throws IOException, InterruptedException {
        JsonNode result = result(send(call("generate_image", "\"prompt\":\"a\",\"seed\":3,\"hires\":2,"
                + TestServer.QUICK)));
        assertThat(PictureFile.read(image(result, 0), "larger").width()).isEqualTo(64);
        byte[] init = server.quick("a red circle", 3);
        JsonNode wider = result(send(call("edit_image", "\"prompt\":\"a red circle\",\"steps\":2,\"seed\":8,"
                + "\"outpaint\":\"32,0,0,0\",\"image\":\"" + Base64.getEncoder().encodeToString(init) + "\"")));
        Picture drawn = PictureFile.read(image(wider, 0), "wider");
        Picture before = PictureFile.read(init, "init");
        assertThat(drawn.width()).isEqualTo(64);
        assertThat(drawn.height()).isEqualTo(32);
        // Beyond the soft edge the picture is as it was.
        for (int y = 0; y < 32; y++) {
            for (int x = 20; x < 32; x++) {
                assertThat(drawn.rgb()[3 * (y * 64 + 32 + x)]).isEqualTo(before.rgb()[3 * (y * 32 + x)]);
            }
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', value = {"generate_image;\"steps\":2;prompt", "generate_image;\"prompt\":\"a\",\"x\":1;x",
        "generate_image;\"prompt\":\"a\",\"width\":100,\"height\":128;96x128 and 112x128",
        "generate_image;\"prompt\":\"a\",\"steps\":201;200", "generate_image;\"prompt\":\"a\",\"model\":\"no\";shapes",
        "generate_image;\"prompt\":\"a\",\"seed\":-2;seed", "generate_image;\"prompt\":\"a\",\"format\":\"gif\";jpeg",
        "edit_image;\"prompt\":\"a\";image", "edit_image;\"prompt\":\"a\",\"image\":\"%%\";base64",
        "edit_image;\"prompt\":\"a\",\"image\":\"00112233445566778899aabbccddeeff-0\";no picture",
        "generate_image;\"prompt\":\"a\",\"hires\":9;1 to 8", "generate_image;\"prompt\":\"a\",\"outpaint\":1;outpaint",
        "generate_image;\"prompt\":\"a\",\"image\":\"\";no argument"})
    void modelsAreToldWhatIsWrong(String tool, String arguments, String said) throws IOException,
            InterruptedException {
        JsonNode result = result(send(call(tool, arguments)));
        assertThat(result.get("isError").asBoolean()).isTrue();
        assertThat(result.at("/content/0/text").asText()).contains(said).doesNotContain("Exception");
    }

    @Test
    void progressIsReportedWhereItIsAskedFor() throws IOException, InterruptedException {
        HttpResponse<byte[]> response = send(request("tools/call", "\"_meta\":{\"progressToken\":\"t\"},"
                + "\"name\":\"generate_image\",\"arguments\":{\"prompt\":\"a\",\"width\":64,\"height\":64,"
                + "\"steps\":30,\"images\":2}"));
        List<TestServer.Event> events = TestServer.events(new ByteArrayInputStream(response.body()));
        List<Double> progress = events.stream().map(TestServer.Event::data).filter(data -> data.has("method"))
                .peek(data -> assertThat(data.get("method").asText()).isEqualTo("notifications/progress"))
                .map(data -> data.get("params"))
                .peek(data -> assertThat(data.get("progressToken").asText()).isEqualTo("t"))
                .map(data -> data.get("progress").asDouble()).toList();
        assertThat(progress).hasSizeGreaterThan(1).isSorted().doesNotHaveDuplicates();
        JsonNode last = events.get(events.size() - 2).data().get("params");
        assertThat(last.get("progress").asDouble()).isEqualTo(last.get("total").asDouble());
        assertThat(events.getLast().data().at("/result/content")).hasSize(4);
    }

    /** A long call of a client, found at work. */
    private static JsonNode longCall() throws IOException, InterruptedException {
        for (int i = 0; i < 1000; i++) {
            for (JsonNode job : TestServer.node(server.get("/api/v1/jobs")).get("jobs")) {
                if (job.get("status").asText().equals("generating")) {
                    return job;
                }
            }
            Thread.sleep(10);
        }
        throw new AssertionError("nothing is drawn");
    }

    @Test
    void aClientTakesACallBack() throws Exception {
        String session = "a-session";
        var response = server.client.sendAsync(message(call("generate_image", TestServer.LONG.substring(1,
                TestServer.LONG.length() - 1)), "Mcp-Session-Id", session).build(),
                HttpResponse.BodyHandlers.ofInputStream());
        String job = longCall().get("id").asText();
        String cancel = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%s}}";
        assertThat(send(String.format(cancel, "\"7\""), "Mcp-Session-Id", session).statusCode()).isEqualTo(202);
        assertThat(send(String.format(cancel, "7"), "Mcp-Session-Id", "another").statusCode()).isEqualTo(202);
        assertThat(server.jobState(job).get("status").asText()).isEqualTo("generating");
        assertThat(send(String.format(cancel, "7"), "Mcp-Session-Id", session).statusCode()).isEqualTo(202);
        server.await(job, "cancelled");
        assertThat(TestServer.events(response.get().body())).isEmpty();
    }

    @Test
    void aClientThatGoesAwayIsNotDrawnFor() throws Exception {
        String arguments = TestServer.LONG.substring(1, TestServer.LONG.length() - 1);
        HttpResponse<InputStream> stream = server.client.send(message(call("generate_image", arguments)).build(),
                HttpResponse.BodyHandlers.ofInputStream());
        String job = longCall().get("id").asText();
        stream.body().close();
        server.await(job, "cancelled");
        var plain = server.client.sendAsync(TestServer.json(server.request("/mcp"), call("generate_image", arguments))
                .build(), HttpResponse.BodyHandlers.ofByteArray());
        job = longCall().get("id").asText();
        plain.cancel(true);
        server.await(job, "cancelled");
    }

    @Test
    void aSubscriptionStaysOpen() throws Exception {
        HttpResponse<InputStream> stream = server.client.send(message(request("subscriptions/listen", META
                + ",\"notifications\":{\"toolsListChanged\":true}"), "MCP-Protocol-Version", CURRENT, "Mcp-Method",
                "subscriptions/listen").build(), HttpResponse.BodyHandlers.ofInputStream());
        try (InputStream in = stream.body()) {
            StringBuilder text = new StringBuilder();
            while (text.indexOf("}\n\n") < 0) {
                text.append((char) in.read());
            }
            assertThat(text.toString()).contains("notifications/subscriptions/acknowledged",
                    "\"io.modelcontextprotocol/subscriptionId\":7", "\"notifications\":{}");
        }
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', quoteCharacter = '\u0001', value = {"{;400;-32700", "[];400;-32600", "1;400;-32600",
        "{\"id\":7,\"method\":\"ping\"};400;-32600", "{\"jsonrpc\":\"2.0\",\"id\":7};400;-32600",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"};400;-32600",
        "{\"jsonrpc\":\"2.0\",\"id\":7.5,\"method\":\"ping\"};400;-32600",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":1};400;-32600",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\",\"params\":[]};400;-32602",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"nothing\"};200;-32601",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"initialize\"};200;-32602",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\"};200;-32602",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"edit_image\","
            + "\"arguments\":[]}};200;-32602"})
    void malformedMessagesGetErrors(String body, int status, int code) throws IOException, InterruptedException {
        HttpResponse<byte[]> response = send(body);
        JsonNode answer = TestServer.node(response);
        assertThat(response.statusCode()).as(answer.toString()).isEqualTo(status);
        assertThat(answer.at("/error/code").asInt()).as(answer.toString()).isEqualTo(code);
        assertThat(answer.get("jsonrpc").asText()).isEqualTo("2.0");
        assertThat(answer.has("id")).isEqualTo(body.matches(".*\"id\":7[,}].*"));
    }

    @Test
    void batchesOfTheFirstVersionAreAnswered() throws IOException, InterruptedException {
        String note = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}";
        JsonNode answers = TestServer.node(send("[" + request("ping", "") + "," + note + "," + request("none", "")
                + "," + call("generate_image", "\"prompt\":\"a star\",\"seed\":1," + TestServer.QUICK) + ",5]"));
        assertThat(answers).hasSize(4);
        assertThat(answers.get(1).at("/error/code").asInt()).isEqualTo(-32601);
        assertThat(image(((ObjectNode) answers.get(2)).get("result"), 0)).isEqualTo(server.quick("a star", 1));
        assertThat(answers.get(3).at("/error/code").asInt()).isEqualTo(-32600);
        assertThat(send("[" + note + "]").statusCode()).isEqualTo(202);
        assertThat(send("[" + request("tools/list", META) + "]", "MCP-Protocol-Version", CURRENT, "Mcp-Method",
                "tools/list").statusCode()).isEqualTo(200);
    }

    @Test
    void otherMethodsOfHttp() throws IOException, InterruptedException {
        for (String method : List.of("GET", "DELETE")) {
            HttpResponse<byte[]> response = server.send(server.request("/mcp").method(method,
                    HttpRequest.BodyPublishers.noBody()).header("Accept", "text/event-stream"));
            assertThat(response.statusCode()).isEqualTo(405);
            assertThat(response.headers().firstValue("Allow").orElseThrow()).contains("POST");
            assertThat(TestServer.node(response).at("/error/code").asInt()).isEqualTo(405);
        }
        HttpResponse<byte[]> other = send(request("tools/list", ""), "Origin", "https://evil.example");
        assertThat(other.statusCode()).isEqualTo(403);
        assertThat(TestServer.node(other).at("/error/message").asText()).isNotEmpty();
        assertThat(server.send(server.request("/mcp").header("Content-Type", "text/plain")
                .POST(HttpRequest.BodyPublishers.ofString("{}"))).statusCode()).isEqualTo(415);
    }
}
