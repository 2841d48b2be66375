package jdiffusion.server;

import static jdiffusion.server.TestServer.node;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.sampling.Sampler;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class OpenAiTest {
    private static final String GENERATIONS = "/v1/images/generations";
    private static TestServer server;

    @BeforeAll
    static void start() {
        server = new TestServer();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static byte[] base64(JsonNode node) {
        return Base64.getDecoder().decode(node.asText());
    }

    @Test
    void picturesAreTheLibrarys() throws IOException, InterruptedException {
        JsonNode answer = node(server.post(GENERATIONS, "{\"model\":\"gpt-image-1\",\"prompt\":\"a red circle\","
                + "\"n\":2,\"size\":\"32x32\",\"steps\":2,\"seed\":11,\"user\":\"me\",\"quality\":\"high\"}"));
        assertThat(answer.get("created").asLong()).isPositive();
        assertThat(answer.get("size").asText()).isEqualTo("32x32");
        assertThat(answer.get("output_format").asText()).isEqualTo("png");
        assertThat(answer.get("data")).hasSize(2);
        for (int i = 0; i < 2; i++) {
            JsonNode item = answer.get("data").get(i);
            assertThat(base64(item.get("b64_json"))).isEqualTo(server.quick("a red circle", 11 + i));
            assertThat(item.get("revised_prompt").isNull()).isTrue();
            assertThat(item.get("seed").asText()).isEqualTo(Integer.toString(11 + i));
        }
        assertThat(answer.at("/usage/output_tokens").asInt()).isEqualTo(8);
        assertThat(answer.at("/usage/total_tokens").asInt()).isGreaterThan(8);
    }

    @Test
    void extensionsHaveManyNames() throws IOException, InterruptedException {
        byte[] expected = server.expected("a red circle", builder -> builder.size(32, 32).steps(3).seed(4)
                .guidance(2.5f).negativePrompt("blue").sampler(Sampler.Kind.HEUN));
        for (String body : List.of(
                "\"prompt\":\"a red circle\",\"num_inference_steps\":3,\"seed\":4,\"guidance_scale\":2.5,"
                        + "\"negative_prompt\":\"blue\",\"sampler\":\"heun\"",
                "\"prompt\":\"a red circle\",\"step\":\"3\",\"seed\":\"4\",\"cfg_scale\":\"2.5\","
                        + "\"negative_prompt\":\"blue\",\"sampler\":\"Heun\"",
                "\"prompt\":\"a red circle<sd_cpp_extra_args>{\\\"seed\\\":4,\\\"negative_prompt\\\":\\\"blue\\\","
                        + "\\\"sample_params\\\":{\\\"sample_steps\\\":3,\\\"sample_method\\\":\\\"heun\\\","
                        + "\\\"guidance\\\":{\\\"txt_cfg\\\":2.5}}}</sd_cpp_extra_args>\"")) {
            JsonNode answer = node(server.post(GENERATIONS, "{\"size\":\"32x32\"," + body + "}"));
            assertThat(base64(answer.at("/data/0/b64_json"))).as(body).isEqualTo(expected);
        }
    }

    @Test
    void urlsForTheModelsThatHaveThem() throws IOException, InterruptedException {
        JsonNode answer = node(server.post(GENERATIONS, "{\"model\":\"dall-e-2\",\"prompt\":\"a star\","
                + "\"size\":\"32x32\",\"steps\":2,\"seed\":1}"));
        String url = answer.at("/data/0/url").asText();
        assertThat(url).startsWith(server.server.address() + "/v1/images/files/").endsWith(".png");
        assertThat(answer.at("/data/0").has("b64_json")).isFalse();
        assertThat(server.get(url).body()).isEqualTo(server.quick("a star", 1));
        assertThat(server.get(url.replaceFirst("files/..", "files/00")).statusCode()).isIn(200, 404);
        assertThat(server.get("/v1/images/files/" + "0".repeat(32) + "-0.png").statusCode()).isEqualTo(404);
        JsonNode base64 = node(server.post(GENERATIONS, "{\"model\":\"dall-e-3\",\"prompt\":\"a star\","
                + "\"size\":\"32x32\",\"steps\":2,\"seed\":1,\"response_format\":\"b64_json\"}"));
        assertThat(base64(base64.at("/data/0/b64_json"))).isEqualTo(server.quick("a star", 1));
    }

    @Test
    void jpegIsAPictureToo() throws IOException, InterruptedException {
        JsonNode answer = node(server.post(GENERATIONS, "{\"prompt\":\"a star\",\"size\":\"32x32\",\"steps\":2,"
                + "\"output_format\":\"jpeg\",\"output_compression\":80}"));
        BufferedImage image = ImageIO.read(new ByteArrayInputStream(base64(answer.at("/data/0/b64_json"))));
        assertThat(image.getWidth()).isEqualTo(32);
        assertThat(base64(answer.at("/data/0/b64_json"))).startsWith(0xff, 0xd8);
    }

    @Test
    void partialPicturesComeOnTheWay() throws IOException, InterruptedException {
        HttpResponse<InputStream> response = server.client.send(TestServer.json(server.request(GENERATIONS),
                "{\"prompt\":\"a red circle\",\"size\":\"32x32\",\"steps\":8,\"seed\":2,\"stream\":true,"
                        + "\"partial_images\":3}").build(), HttpResponse.BodyHandlers.ofInputStream());
        assertThat(response.headers().firstValue("Content-Type").orElseThrow()).isEqualTo("text/event-stream");
        List<TestServer.Event> events = TestServer.events(response.body());
        assertThat(events.stream().map(TestServer.Event::name)).containsExactly("image_generation.partial_image",
                "image_generation.partial_image", "image_generation.partial_image", "image_generation.completed");
        for (int i = 0; i < 3; i++) {
            JsonNode data = events.get(i).data();
            assertThat(data.get("type").asText()).isEqualTo("image_generation.partial_image");
            assertThat(data.get("partial_image_index").asInt()).isEqualTo(i);
            assertThat(PictureFile.read(base64(data.get("b64_json")), "partial").width()).isEqualTo(32);
        }
        JsonNode last = events.getLast().data();
        assertThat(base64(last.get("b64_json"))).isEqualTo(server.expected("a red circle",
                builder -> builder.size(32, 32).steps(8).seed(2)));
        assertThat(last.at("/usage/output_tokens").asInt()).isEqualTo(4);
        assertThat(last.get("output_format").asText()).isEqualTo("png");
    }

    /** A form as clients send it. */
    private static HttpRequest.Builder form(Map<String, Object> parts) throws IOException {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        for (Map.Entry<String, Object> part : parts.entrySet()) {
            boolean file = part.getValue() instanceof byte[];
            body.writeBytes(("--XYZ\r\nContent-Disposition: form-data; name=\"" + part.getKey() + "\""
                    + (file ? "; filename=\"../../a.png\"\r\nContent-Type: image/png" : "") + "\r\n\r\n")
                    .getBytes(StandardCharsets.UTF_8));
            body.writeBytes(part.getValue() instanceof byte[] bytes ? bytes
                    : part.getValue().toString().getBytes(StandardCharsets.UTF_8));
            body.writeBytes("\r\n".getBytes(StandardCharsets.UTF_8));
        }
        body.writeBytes("--XYZ--\r\n".getBytes(StandardCharsets.UTF_8));
        return server.request("/v1/images/edits").header("Content-Type", "multipart/form-data; boundary=XYZ")
                .POST(HttpRequest.BodyPublishers.ofByteArray(body.toByteArray()));
    }

    /** The upper half is transparent, which is where OpenAI draws. */
    private static byte[] upperHalf() throws IOException {
        BufferedImage image = new BufferedImage(32, 32, BufferedImage.TYPE_INT_ARGB);
        for (int y = 16; y < 32; y++) {
            for (int x = 0; x < 32; x++) {
                image.setRGB(x, y, 0xff000000);
            }
        }
        ByteArrayOutputStream png = new ByteArrayOutputStream();
        ImageIO.write(image, "png", png);
        return png.toByteArray();
    }

    @Test
    void editsDrawWhereTheMaskIsTransparent() throws IOException, InterruptedException {
        byte[] init = server.quick("a red circle", 5);
        byte[] white = new byte[3 * 32 * 32];
        Arrays.fill(white, 0, white.length / 2, (byte) 255);
        byte[] expected = server.expected("a blue star", builder -> builder.size(32, 32).steps(3).seed(8)
                .init(PictureFile.read(init, "init"), 1).mask(new Picture(32, 32, white)));
        Map<String, Object> parts = new LinkedHashMap<>();
        parts.put("prompt", "a blue star");
        parts.put("image", init);
        parts.put("mask", upperHalf());
        parts.put("steps", "3");
        parts.put("seed", "8");
        assertThat(base64(node(server.send(form(parts))).at("/data/0/b64_json"))).isEqualTo(expected);
        parts.remove("mask");
        parts.put("strength", "0.5");
        byte[] plain = server.expected("a blue star", builder -> builder.size(32, 32).steps(3).seed(8)
                .init(PictureFile.read(init, "init"), 0.5));
        parts.put("image[]", parts.remove("image"));
        parts.put("stream", "true");
        HttpResponse<byte[]> streamed = server.send(form(parts));
        TestServer.Event last = TestServer.events(new ByteArrayInputStream(streamed.body())).getLast();
        assertThat(last.name()).isEqualTo("image_edit.completed");
        assertThat(base64(last.data().get("b64_json"))).isEqualTo(plain);
    }

    @Test
    void errorsHaveOpenAisForm() throws IOException, InterruptedException {
        Map<String, String> wrong = Map.of("{\"size\":\"32x32\"}", "prompt",
                "{\"prompt\":\"a\",\"size\":\"100x128\"}", "size", "{\"prompt\":\"a\",\"size\":\"big\"}", "size",
                "{\"prompt\":\"a\",\"n\":11}", "n", "{\"prompt\":\"a\",\"output_format\":\"webp\"}", "output_format",
                "{\"prompt\":\"a\",\"background\":\"transparent\"}", "background",
                "{\"prompt\":\"a\",\"partial_images\":4}", "partial_images");
        for (Map.Entry<String, String> one : wrong.entrySet()) {
            HttpResponse<byte[]> answer = server.post(GENERATIONS, one.getKey());
            assertThat(answer.statusCode()).as(one.getKey()).isEqualTo(400);
            JsonNode error = node(answer).get("error");
            assertThat(error.get("type").asText()).isEqualTo("invalid_request_error");
            assertThat(error.get("param").asText()).as(one.getKey()).isEqualTo(one.getValue());
            assertThat(error.get("message").asText()).isNotEmpty();
            assertThat(error.get("code").asText()).isNotEmpty();
        }
        HttpResponse<byte[]> size = server.post(GENERATIONS, "{\"prompt\":\"a\",\"size\":\"100x128\"}");
        assertThat(node(size).at("/error/message").asText()).contains("96x128 and 112x128");
        HttpResponse<byte[]> model = server.post(GENERATIONS, "{\"prompt\":\"a\",\"model\":\"nobody\"}");
        assertThat(model.statusCode()).isEqualTo(404);
        assertThat(node(model).at("/error/code").asText()).isEqualTo("model_not_found");
        assertThat(server.send(form(Map.of("prompt", "a"))).statusCode()).isEqualTo(400);
        assertThat(server.send(form(Map.of("prompt", "a", "image", new byte[] {1, 2}))).statusCode()).isEqualTo(400);
    }

    @Test
    void modelsAreListed() throws IOException, InterruptedException {
        JsonNode models = node(server.get("/v1/models"));
        assertThat(models.get("object").asText()).isEqualTo("list");
        assertThat(models.get("data").findValuesAsText("id")).containsExactly("shapes");
        assertThat(node(server.get("/v1/models/shapes")).get("object").asText()).isEqualTo("model");
        assertThat(server.get("/v1/models/other").statusCode()).isEqualTo(404);
    }

    @Test
    void aClientThatGoesAwayIsNotDrawnFor() throws Exception {
        var request = server.client.sendAsync(TestServer.json(server.request(GENERATIONS),
                "{\"prompt\":\"a red circle\",\"size\":\"128x128\",\"steps\":200}").build(),
                HttpResponse.BodyHandlers.ofByteArray());
        JsonNode job = null;
        for (int i = 0; i < 1000 && (job == null || !job.get("status").asText().equals("generating")); i++) {
            Thread.sleep(10);
            job = node(server.get("/api/v1/jobs")).get("jobs").get(0);
        }
        request.cancel(true);
        JsonNode ended = server.await(job.get("id").asText(), "cancelled");
        assertThat(ended.at("/step/i").asInt()).isLessThan(200);
        assertThat(server.log()).anyMatch(line -> line.contains("generations gone"));
    }
}
