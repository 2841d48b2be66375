package jdiffusion.server;

import static jdiffusion.server.TestServer.node;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.settings.Infotext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The page's files, and what only the page asks for; {@code browser} has tests that look at it. */
class PageTest {
    private static final int LARGEST = 100_000;

    @TempDir
    private Path folder;

    private static Set<String> found(String pattern, String text) {
        Set<String> all = new TreeSet<>();
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        while (matcher.find()) {
            all.add(matcher.group(1));
        }
        return all;
    }

    @Test
    void theFilesAreSmallAndBoundToThisServer() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            HttpResponse<byte[]> root = server.get("/");
            String html = new String(root.body(), StandardCharsets.UTF_8);
            assertThat(root.headers().firstValue("Content-Type").orElseThrow()).startsWith("text/html");
            assertThat(html).doesNotContain("style=", "onclick", "<style")
                    .doesNotContainPattern("<script(?![^>]* src=)");
            List<String> open = new ArrayList<>(found("(?:src|href)=\"(/page/[^\"]+)\"", html));
            int bytes = root.body().length;
            for (int i = 0; i < open.size(); i++) {
                HttpResponse<byte[]> file = server.get(open.get(i));
                assertThat(file.statusCode()).as(open.get(i)).isEqualTo(200);
                bytes += file.body().length;
                String text = new String(file.body(), StandardCharsets.UTF_8);
                assertThat(text.replace("http://www.w3.org/2000/svg", "")).doesNotContain("http:", "https:", "//www");
                found("from '\\./([^']+)'", text).stream().map(name -> "/page/" + name)
                        .filter(name -> !open.contains(name)).forEach(open::add);
            }
            assertThat(open).hasSizeGreaterThan(10);
            assertThat(bytes).isLessThan(LARGEST);
            String policy = root.headers().firstValue("Content-Security-Policy").orElseThrow();
            assertThat(List.of(policy.split("; "))).contains("default-src 'self'", "img-src 'self' data: blob:")
                    .noneMatch(part -> part.matches(".*(unsafe|\\*|http|script|style|connect).*"));
            String tag = root.headers().firstValue("ETag").orElseThrow();
            assertThat(server.send(server.request("/").header("If-None-Match", tag)).statusCode()).isEqualTo(304);
            assertThat(server.get("/page/nothing.js").statusCode()).isEqualTo(404);
            assertThat(server.get("/page/Page.class").statusCode()).isEqualTo(404);
        }
    }

    @Test
    void aBrowserLogsIn() throws IOException, InterruptedException {
        try (TestServer server = new TestServer(s -> {
            s.keys = List.of("one", "two");
            return s;
        })) {
            assertThat(server.get("/").statusCode()).isEqualTo(200);
            HttpResponse<byte[]> refused = server.send(server.request("/api/v1/options")
                    .header("X-Jdiffusion-Page", "1"));
            assertThat(refused.statusCode()).isEqualTo(401);
            assertThat(refused.headers().firstValue("WWW-Authenticate")).isEmpty();
            assertThat(server.post("/api/v1/login", "{\"key\":\"three\"}").statusCode()).isEqualTo(401);
            assertThat(server.post("/api/v1/login", "{}").statusCode()).isEqualTo(400);
            HttpResponse<byte[]> login = server.post("/api/v1/login", "{\"key\":\"two\"}");
            assertThat(login.statusCode()).isEqualTo(204);
            String cookie = login.headers().firstValue("Set-Cookie").orElseThrow();
            assertThat(cookie).contains("; HttpOnly", "; SameSite=Strict", "; Path=/").doesNotContain("Secure", "two");
            String token = cookie.split(";")[0];
            for (String path : List.of("/api/v1/options", "/v1/models", "/metrics")) {
                assertThat(server.send(server.request(path).header("Cookie", token)).statusCode()).isEqualTo(200);
                assertThat(server.send(server.request(path).header("Cookie", token + "0")).statusCode()).isEqualTo(401);
                assertThat(server.send(server.request(path).header("Cookie", token)
                        .header("Authorization", "Bearer no")).statusCode()).isEqualTo(401);
                assertThat(server.send(server.request(path).header("Cookie", token)
                        .header("Origin", "https://evil.example")).statusCode()).isEqualTo(403);
            }
            HttpResponse<byte[]> secure = server.send(TestServer.json(server.request("/api/v1/login")
                    .header("X-Forwarded-Proto", "https"), "{\"key\":\"two\"}"));
            assertThat(secure.headers().firstValue("Set-Cookie").orElseThrow()).contains("; Secure");
            HttpResponse<byte[]> out = server.send(server.request("/api/v1/login").DELETE());
            assertThat(out.headers().firstValue("Set-Cookie").orElseThrow()).contains("Max-Age=0");
        }
    }

    private static String request(byte[] picture) {
        return "{\"picture\":\"" + Base64.getEncoder().encodeToString(picture) + "\"}";
    }

    @Test
    void settingsOfAPicture() throws IOException, InterruptedException {
        try (TestServer server = new TestServer(s -> {
            s.output = folder;
            return s;
        })) {
            String text = "a cat <lora:x:0.5>\nNegative prompt: dog\nSteps: 9, Sampler: DDIM, Schedule type: Karras,"
                    + " CFG scale: 5.5, Seed: 18446744073709551615, Size: 64x32, Model: Shapes, Eta DDIM: 0.5,"
                    + " Clip skip: 2, Denoising strength: 0.4, Something: else";
            byte[] png = Png.encode(new Picture(1, 1, new byte[3]), Map.of(Infotext.KEYWORD, text));
            JsonNode found = node(server.post("/api/v1/settings", request(png)));
            assertThat(found.get("fields").toString()).isEqualTo("{\"prompt\":\"a cat <lora:x:0.5>\","
                    + "\"negative_prompt\":\"dog\",\"model\":\"shapes\",\"width\":64,\"height\":32,\"steps\":9,"
                    + "\"guidance\":5.5,\"seed\":18446744073709551615,\"sampler\":\"ddim\",\"scheduler\":\"karras\","
                    + "\"strength\":0.4,\"eta\":0.5,\"clip_skip\":2}");
            assertThat(found.get("more").toString()).isEqualTo("{\"Something\":\"else\"}");
            assertThat(found.get("notes").toString()).contains("another picture");
            String more = "a cat\nSteps: 9, Sampler: Euler, CFG scale: 5, Seed: 1, Size: 32x32, SLG scale: 2, Skip"
                    + " layers: \"1, 2\", Mask blur: 4, Compat: comfyui, RNG: NV, Hires upscale: 1.5, Hires upscaler:"
                    + " Latent, Denoising strength: 0.4";
            JsonNode masked = node(server.post("/api/v1/settings", request(Png.encode(new Picture(1, 1, new byte[3]),
                    Map.of(Infotext.KEYWORD, more)))));
            assertThat(masked.get("fields").toString()).contains("\"noise\":\"philox\",\"skip_layers\":{\"layers\":"
                    + "[1,2],\"scale\":2.0},\"mask_blur\":4,\"hires\":1.5,\"hires_strength\":0.4,\"hires_upscaler\":"
                    + "\"latent\"");
            assertThat(masked.get("more").toString()).isEqualTo("{\"Compat\":\"comfyui\"}");
            for (byte[] none : List.of(Png.encode(new Picture(1, 1, new byte[3]), Map.of()), "text".getBytes(
                    StandardCharsets.UTF_8), new byte[0])) {
                HttpResponse<byte[]> refused = server.post("/api/v1/settings", request(none));
                assertThat(refused.statusCode()).isIn(400, 422);
                assertThat(node(refused).at("/error/message").asText()).contains("picture")
                        .doesNotContain("/tmp", "--from");
            }
            // What is drawn can be drawn again from its file alone.
            String id = server.job("{\"prompt\":\"a star\",\"seed\":4," + TestServer.QUICK + "}").get("id").asText();
            String stored = server.await(id, "completed").at("/images/0/stored").asText();
            String fields = node(server.get(stored.replace(".png", "/settings"))).get("fields").toString();
            String again = server.job(fields).get("id").asText();
            server.await(again, "completed");
            assertThat(server.get("/api/v1/jobs/" + again + "/images/0.png").body())
                    .isEqualTo(server.get(stored).body());
            assertThat(server.get("/api/v1/images/00009-9/settings").statusCode()).isEqualTo(404);
            // One that is not to be kept leaves no file.
            String unkept = server.job("{\"prompt\":\"a star\",\"keep\":false," + TestServer.QUICK + "}").get("id")
                    .asText();
            assertThat(server.await(unkept, "completed").at("/images/0/stored").isNull()).isTrue();
            assertThat(folder.toFile().list()).hasSize(2);
            assertThat(Files.exists(folder.resolve("00002-4.png"))).isTrue();
        }
    }

    @Test
    void optionsNameFieldsThatJobsTake() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            JsonNode options = node(server.get("/api/v1/options"));
            Set<String> groups = new TreeSet<>();
            Set<String> ofPictures = new TreeSet<>();
            for (JsonNode group : options.get("groups")) {
                (group.get("needs").isNull() ? groups : ofPictures).add(group.get("name").asText());
            }
            JsonNode defaults = options.at("/models/0/defaults");
            ObjectNode all = new ObjectMapper().createObjectNode().put("prompt", "");
            for (JsonNode field : options.get("fields")) {
                String group = field.get("group").asText();
                assertThat(groups.contains(group) || ofPictures.contains(group)).as(group).isTrue();
                String name = field.get("name").asText();
                JsonNode usual = groups.contains(group) ? defaults.get(name) : NullNode.instance;
                int dot = name.indexOf('.');
                if (dot < 0) {
                    all.set(name, usual);
                } else if (groups.contains(group)) {
                    // A field of a field.
                    all.withObject("/" + name.substring(0, dot)).set(name.substring(dot + 1), usual);
                }
            }
            HttpResponse<byte[]> plan = server.post("/api/v1/plan", all.toString());
            assertThat(plan.statusCode()).as(new String(plan.body(), StandardCharsets.UTF_8)).isEqualTo(200);
            List<String> names = options.get("fields").findValuesAsText("name");
            assertThat(defaults.fieldNames()).toIterable().allMatch(names::contains);
        }
    }
}
