package jdiffusion.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import javax.imageio.ImageIO;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import jdiffusion.model.settings.Infotext;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Other people's clients, as npm has them: the scripts in {@code src/test/npm} drive them, and say what came back.
 * Without Node or its packages these tests are skipped, unless {@code -Djdiffusion.npm=required} is given.
 */
class NpmClientsTest {
    private static final String KEY = "secret";
    private static final boolean REQUIRED = "required".equals(System.getProperty("jdiffusion.npm"));
    private static final int LEAST_NODE = 20;
    private static final long MOST_SECONDS = 120;

    @TempDir
    static Path folder;
    private static Path scripts;
    private static TestServer server;
    private static byte[] init;
    private static Picture mask;

    @BeforeAll
    static void start() throws IOException, InterruptedException {
        scripts = TestServer.SHAPES.resolve("../../server/src/test/npm").normalize();
        need(Stream.of(System.getenv("PATH").split(File.pathSeparator)).anyMatch(path ->
                Files.isExecutable(Path.of(path, "node"))), "Node is not there: no node on the PATH");
        Process version = new ProcessBuilder("node", "--version").start();
        String said = version.inputReader().readLine();
        version.waitFor();
        need(said != null && Integer.parseInt(said.replaceFirst("v(\\d+).*", "$1")) >= LEAST_NODE, "Node " + said
                + " is too old for the clients; " + LEAST_NODE + " or newer is needed");
        need(Files.isDirectory(scripts.resolve("node_modules/openai")),
                "the clients are not there: run npm ci --ignore-scripts in server/src/test/npm");
        server = new TestServer(s -> {
            s.keys = List.of(KEY);
            s.queue = 1;
            return s;
        });
        init = server.quick("a red circle", 5);
        Files.write(folder.resolve("init.png"), init);
        byte[] white = new byte[3 * 32 * 32];
        Arrays.fill(white, 0, white.length / 2, (byte) 255);
        mask = new Picture(32, 32, white);
        Files.write(folder.resolve("white.png"), Png.encode(mask, Map.of()));
        BufferedImage transparent = new BufferedImage(32, 32, BufferedImage.TYPE_INT_ARGB);
        for (int i = 16 * 32; i < 32 * 32; i++) {
            transparent.setRGB(i % 32, i / 32, 0xff000000);
        }
        ImageIO.write(transparent, "png", folder.resolve("mask.png").toFile());
    }

    private static void need(boolean there, String message) {
        if (REQUIRED && !there) {
            fail(message);
        }
        assumeTrue(there, message);
    }

    @AfterAll
    static void stop() {
        if (server != null) {
            server.close();
        }
    }

    /** What a script says. */
    private static JsonNode run(String script) throws IOException, InterruptedException {
        Path out = folder.resolve(script + ".out");
        Path err = folder.resolve(script + ".err");
        Process node = new ProcessBuilder("node", scripts.resolve(script).toString(),
                server.server.address().toString(), KEY, folder.toString())
                .redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        boolean ended = node.waitFor(MOST_SECONDS, TimeUnit.SECONDS);
        node.destroyForcibly().waitFor();
        assertThat(ended && node.exitValue() == 0).as(script + ":\n" + Files.readString(err) + "\n"
                + String.join("\n", server.log())).isTrue();
        return TestServer.JSON.readTree(Files.readString(out));
    }

    private static byte[] base64(JsonNode node) {
        return Base64.getDecoder().decode(node.asText());
    }

    private static Stream<JsonNode> each(JsonNode list) {
        return StreamSupport.stream(list.spliterator(), false);
    }

    /** What the library draws from the picture to start from. */
    private static byte[] star(int steps, double strength, UnaryOperator<GenerationRequest.Builder> more) {
        return server.expected("a blue star", builder -> more.apply(builder.size(32, 32).steps(steps).seed(8)
                .init(PictureFile.read(init, "init"), strength)));
    }

    @Test
    void openAi() throws IOException, InterruptedException {
        JsonNode said = run("openai.mjs");
        byte[] circle = server.quick("a red circle", 7);
        assertThat(each(said.get("models")).map(JsonNode::asText)).containsExactly("shapes");
        JsonNode data = said.at("/generated/data");
        assertThat(data).hasSize(2);
        assertThat(base64(data.get(0).get("b64_json"))).isEqualTo(circle);
        assertThat(base64(data.get(1).get("b64_json"))).isEqualTo(server.quick("a red circle", 8));
        assertThat(base64(said.get("fetched"))).isEqualTo(circle);
        JsonNode streamed = said.get("streamed");
        assertThat(each(streamed).map(event -> event.get("type").asText())).containsExactly(
                "image_generation.partial_image", "image_generation.partial_image", "image_generation.completed");
        assertThat(base64(streamed.get(2).get("b64_json"))).isEqualTo(server.expected("a red circle",
                builder -> builder.size(32, 32).steps(8).seed(7)));
        assertThat(base64(said.at("/edited/data/0/b64_json"))).isEqualTo(star(3, 1, builder -> builder.mask(mask)));
        JsonNode edited = said.get("editStreamed");
        assertThat(base64(edited.get(edited.size() - 1).get("b64_json"))).isEqualTo(star(3, 0.5, builder -> builder));

        JsonNode errors = said.get("errors");
        assertError(errors.get("size"), "BadRequestError", 400, "invalid_size", "size");
        assertThat(errors.at("/size/message").asText()).contains("96x128 and 112x128");
        assertError(errors.get("model"), "NotFoundError", 404, "model_not_found", null);
        assertError(errors.get("key"), "AuthenticationError", 401, "invalid_api_key", null);
        assertThat(errors.at("/picture/name").asText()).isEqualTo("BadRequestError");
        assertError(errors.get("full"), "RateLimitError", 429, "queue_full", null);
        assertThat(each(said.get("retriedStatuses")).map(JsonNode::asInt)).startsWith(429).endsWith(200);
        assertThat(base64(said.at("/retried/data/0/b64_json"))).isEqualTo(circle);
    }

    private static void assertError(JsonNode error, String name, int status, String code, String parameter) {
        assertThat(error.get("name").asText()).as(error.toString()).isEqualTo(name);
        assertThat(error.get("status").asInt()).isEqualTo(status);
        assertThat(error.get("code").asText()).isEqualTo(code);
        assertThat(error.get("param").textValue()).isEqualTo(parameter);
    }

    @Test
    void automatic1111() throws IOException, InterruptedException {
        JsonNode said = run("a1111.mjs");
        byte[] circle = server.expected("a red circle", builder -> builder.negativePrompt("blue").size(32, 32)
                .steps(2).seed(7).guidance(3));
        JsonNode drawn = said.get("txt2img");
        assertThat(drawn.get("images")).hasSize(2);
        assertThat(drawn.get("decoded").asInt()).isEqualTo(2);
        assertThat(base64(drawn.get("images").get(0))).isEqualTo(circle);
        assertThat(drawn.at("/info/all_seeds/1").asInt()).isEqualTo(8);
        assertThat(drawn.at("/info/infotexts/0").asText()).isEqualTo(Png.texts(circle, "circle")
                .get(Infotext.KEYWORD));
        assertThat(base64(said.at("/img2img/images/0"))).isEqualTo(star(4, 0.5, builder -> builder.guidance(3)
                .negativePrompt("")));
        // As there, what is not masked is the source's to the pixel; the mask is the upper half.
        byte[] pasted = PictureFile.read(init, "init").rgb();
        byte[] star = PictureFile.read(star(3, 1, builder -> builder.guidance(3).negativePrompt("").mask(mask)),
                "star").rgb();
        System.arraycopy(star, 0, pasted, 0, pasted.length / 2);
        assertThat(PictureFile.read(base64(said.at("/masked/images/0")), "masked").rgb()).isEqualTo(pasted);
        assertThat(said.at("/pngInfo/info").asText()).contains("a red circle", "Seed: 7");

        assertThat(said.at("/options/sd_model_checkpoint").asText()).startsWith("shapes");
        assertThat(each(said.get("samplers")).map(JsonNode::asText)).contains("Euler", "DPM++ 2M");
        assertThat(each(said.get("models")).map(JsonNode::asText)).hasSize(1);
        assertThat(said.at("/progress/progress").asDouble()).isBetween(0.0, 1.0);
        assertThat(said.at("/progress/state/sampling_steps").asInt()).isEqualTo(200);
        assertThat(PictureFile.read(base64(said.at("/progress/current_image")), "current").width()).isPositive();
        assertThat(said.at("/interrupted/images")).hasSize(1);
        assertThat(said.at("/interrupted/info/infotexts/0").asText()).contains("Interrupted: after");
        assertThat(said.at("/after/state/job_count").asInt()).isZero();
        assertThat(said.get("interrogate").asInt()).isEqualTo(422);
        assertThat(said.get("locked").asInt()).isEqualTo(401);
    }

    @Test
    void modelContextProtocol() throws IOException, InterruptedException {
        JsonNode said = run("mcp.mjs");
        byte[] circle = server.quick("a red circle", 7);
        byte[] star = star(4, 0.5, builder -> builder);
        for (String client : List.of("handshake", "handshakeOfSecond", "current", "auto")) {
            JsonNode one = said.get(client);
            assertThat(one.at("/server/name").asText()).as(client).isEqualTo("jdiffusion");
            assertThat(one.at("/capabilities/tools").isObject()).as(client).isTrue();
            assertThat(one.get("tools").findValuesAsText("title")).as(client).hasSize(3);
            assertThat(one.at("/models/structuredContent/models/0/model").asText()).as(client).isEqualTo("shapes");
            assertThat(base64(one.at("/generated/content/0/data"))).as(client).isEqualTo(circle);
            assertThat(one.at("/generated/content/1/text").asText()).as(client).contains("seed 7");
            assertThat(each(one.get("progress")).map(report -> report.get("progress").asDouble())).as(client)
                    .isNotEmpty().isSorted().doesNotHaveDuplicates();
            assertThat(base64(one.at("/edited/content/0/data"))).as(client).isEqualTo(star);
            assertThat(one.at("/wrong/isError").asBoolean()).as(client).isTrue();
            assertThat(one.at("/wrong/content/0/text").asText()).as(client).contains("96x128 and 112x128");
            assertThat(one.at("/unknown/code").asInt()).as(client).isEqualTo(-32602);
            assertThat(one.at("/cancelled/message").asText()).as(client).isNotEqualTo("none");
            assertThat(one.get("cancelledStatus").asText()).as(client).isEqualTo("cancelled");
        }
        assertThat(said.at("/locked/message").asText()).contains("API key");
    }
}
