package jdiffusion.server;

import static jdiffusion.server.TestServer.LONG;
import static jdiffusion.server.TestServer.QUICK;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JobsTest {
    @TempDir
    private Path folder;

    private static String quick(String prompt, long seed) {
        return "{\"prompt\":\"" + prompt + "\",\"seed\":" + seed + "," + QUICK + "}";
    }

    @Test
    void aJobFromBeginningToEnd() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            JsonNode posted = server.job("{\"prompt\":\"a red circle\",\"seed\":18446744073709551614,\"images\":2,"
                    + QUICK + "}");
            String id = posted.get("id").asText();
            List<TestServer.Event> events = server.events(posted.get("events_url").asText());
            List<String> names = events.stream().map(TestServer.Event::name).filter(name -> !name.equals("preview"))
                    .toList();
            assertThat(names).containsExactly("queued", "stage", "stage", "step", "step", "stage", "image", "stage",
                    "step", "step", "stage", "image", "done");
            assertThat(events.stream().filter(event -> event.name().equals("stage"))
                    .map(event -> event.data().get("name").asText())).containsExactly("encode_text", "denoise",
                    "decode", "denoise", "decode");
            JsonNode last = events.stream().filter(event -> event.name().equals("step")).toList().getLast().data();
            assertThat(last.get("i").asInt()).isEqualTo(2);
            assertThat(last.get("n").asInt()).isEqualTo(2);
            assertThat(last.get("eta").asDouble()).isZero();
            JsonNode done = server.jobState(id);
            assertThat(done.get("status").asText()).isEqualTo("completed");
            for (int i = 0; i < 2; i++) {
                JsonNode image = done.get("images").get(i);
                assertThat(image.get("seed").asText()).isEqualTo(Long.toUnsignedString(-2L + i));
                assertThat(server.get(image.get("url").asText()).body())
                        .isEqualTo(server.quick("a red circle", -2L + i));
            }
            assertThat(server.get("/api/v1/jobs/" + id + "/images/2.png").statusCode()).isEqualTo(404);
            String lastId = events.getLast().id();
            HttpResponse<InputStream> again = server.client.send(server.request(posted.get("events_url").asText())
                    .header("Last-Event-ID", lastId).build(), HttpResponse.BodyHandlers.ofInputStream());
            assertThat(TestServer.events(again.body())).isEmpty();
        }
    }

    @Test
    void whatIsRefusedSaysWhy() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            Map<String, String> wrong = Map.ofEntries(Map.entry("{}", "prompt"),
                    Map.entry("{\"prompt\":\"a\",\"width\":100,\"height\":128}", "96x128 and 112x128"),
                    Map.entry("{\"prompt\":\"a\",\"width\":513,\"height\":700}", "512x512"),
                    Map.entry("{\"prompt\":\"a\",\"steps\":0}", "steps"),
                    Map.entry("{\"prompt\":\"a\",\"steps\":201}", "200"),
                    Map.entry("{\"prompt\":\"a\",\"images\":17}", "16"),
                    Map.entry("{\"prompt\":\"a\",\"seed\":-2}", "2^64"),
                    Map.entry("{\"prompt\":\"a\",\"steps\":\"1e999999999\"}", "steps"),
                    Map.entry("{\"prompt\":\"a\",\"guidance\":\"NaN\"}", "guidance"),
                    Map.entry("{\"prompt\":\"a\",\"sampler\":\"best\"}", "euler"),
                    Map.entry("{\"prompt\":\"a\",\"scheduler\":\"best\"}", "karras"),
                    Map.entry("{\"prompt\":\"a\",\"model\":\"none\"}", "shapes"),
                    Map.entry("{\"prompt\":\"a\",\"stepz\":3}", "stepz"),
                    Map.entry("{\"prompt\":\"a <lora:x:1>\"}", "--lora-dir"),
                    Map.entry("{\"prompt\":\"a\",\"mask\":\"AAAA\"}", "mask"),
                    Map.entry("{\"prompt\":\"a\",\"init\":\"#\"}", "base64"),
                    Map.entry("{\"prompt\":\"a\",\"init\":\"AAAA\"}", "init"));
            wrong.forEach((body, says) -> {
                try {
                    HttpResponse<byte[]> answer = server.post("/api/v1/jobs", body);
                    assertThat(answer.statusCode()).as(body).isIn(400, 404);
                    assertThat(TestServer.node(answer).at("/error/message").asText()).as(body).contains(says);
                } catch (IOException | InterruptedException e) {
                    throw new AssertionError(body, e);
                }
            });
        }
    }

    @Test
    void imageToImageAndInpaintingAreTheLibrarys() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            byte[] init = server.quick("a red circle", 5);
            byte[] half = new byte[3 * 32 * 32];
            Arrays.fill(half, 0, half.length / 2, (byte) 255);
            byte[] mask = Png.encode(new Picture(32, 32, half), Map.of());
            String id = server.job("{\"prompt\":\"a blue star\",\"seed\":9,\"steps\":4,\"strength\":0.75,\"init\":\""
                    + Base64.getEncoder().encodeToString(init) + "\",\"mask\":\"data:image/png;base64,"
                    + Base64.getEncoder().encodeToString(mask) + "\"}").get("id").asText();
            server.await(id, "completed");
            byte[] expected = server.expected("a blue star", builder -> builder.seed(9).steps(4).size(32, 32)
                    .init(PictureFile.read(init, "init"), 0.75).mask(PictureFile.read(mask, "mask")));
            assertThat(server.get("/api/v1/jobs/" + id + "/images/0.png").body()).isEqualTo(expected);
        }
    }

    @Test
    void cancelledWhileItWaitsAndWhileItIsDrawn() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            long before = server.backend.memory().live();
            String running = server.job(LONG).get("id").asText();
            String waiting = server.job(quick("a star", 1)).get("id").asText();
            server.await(running, "generating");
            assertThat(server.jobState(waiting).get("queue_position").asInt()).isEqualTo(1);
            server.send(server.request("/api/v1/jobs/" + waiting).DELETE());
            assertThat(server.jobState(waiting).get("status").asText()).isEqualTo("cancelled");
            server.send(server.request("/api/v1/jobs/" + running).DELETE());
            JsonNode ended = server.await(running, "cancelled");
            assertThat(ended.get("images")).isEmpty();
            assertThat(ended.at("/step/i").asInt()).isLessThan(200);
            String next = server.job(quick("a star", 1)).get("id").asText();
            server.await(next, "completed");
            assertThat(server.get("/api/v1/jobs/" + next + "/images/0.png").body())
                    .isEqualTo(server.quick("a star", 1));
            long held = server.backend.memory().live() - before;
            String again = server.job(LONG).get("id").asText();
            server.await(again, "generating");
            server.send(server.request("/api/v1/jobs/" + again).DELETE());
            server.await(again, "cancelled");
            assertThat(server.backend.memory().live() - before).isEqualTo(held);
        }
    }

    @Test
    void aJobThatIsBoundToItsListenerEndsWithIt() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            JsonNode job = server.job(LONG.replace("{", "{\"cancel_on_disconnect\":true,"));
            HttpResponse<InputStream> events = server.client.send(server.request(job.get("events_url").asText())
                    .build(), HttpResponse.BodyHandlers.ofInputStream());
            assertThat(events.body().read()).isPositive();
            events.body().close();
            server.await(job.get("id").asText(), "cancelled");
        }
    }

    @Test
    void aFullQueueRefusesAndSaysWhenToComeBack() throws IOException, InterruptedException {
        try (TestServer server = new TestServer(s -> {
            s.queue = 2;
            return s;
        })) {
            String running = server.job(LONG).get("id").asText();
            server.await(running, "generating");
            List<String> waiting = new ArrayList<>();
            for (int i = 0; i < 2; i++) {
                waiting.add(server.job(quick("a star", i)).get("id").asText());
            }
            HttpResponse<byte[]> refused = server.post("/api/v1/jobs", quick("a star", 3));
            assertThat(refused.statusCode()).isEqualTo(429);
            assertThat(Integer.parseInt(refused.headers().firstValue("Retry-After").orElseThrow())).isPositive();
            HttpResponse<byte[]> openai = server.post("/v1/images/generations", "{\"prompt\":\"a\"}");
            assertThat(openai.statusCode()).isEqualTo(429);
            assertThat(TestServer.node(openai).at("/error/type").asText()).isEqualTo("rate_limit_error");
            server.send(server.request("/api/v1/jobs/" + running).DELETE());
            for (String id : waiting) {
                server.await(id, "completed");
            }
        }
    }

    /** The picture is drawn and sent all the same; the client and who runs the server are told. */
    @Test
    void aPictureThatCannotBeKeptIsSaid() throws IOException, InterruptedException {
        Path gone = Files.createDirectory(folder.resolve("gone"));
        try (TestServer server = new TestServer(s -> {
            s.output = gone;
            return s;
        })) {
            Files.delete(gone);
            String id = server.job(quick("a star", 1)).get("id").asText();
            server.await(id, "completed");
            assertThat(server.get("/api/v1/jobs/" + id + "/images/0.png").body()).isEqualTo(server.quick("a star", 1));
            assertThat(server.log()).anyMatch(line -> line.contains("the picture could not be kept"));
            assertThat(gone).doesNotExist();
        }
    }

    @Test
    void historyIsWhatLiesInTheFolder() throws IOException, InterruptedException {
        try (TestServer server = new TestServer(s -> {
            s.output = folder;
            return s;
        })) {
            Files.writeString(folder.resolve("secret.png"), "no picture of the server");
            for (int i = 0; i < 3; i++) {
                server.await(server.job(quick("a star", i)).get("id").asText(), "completed");
            }
        }
        try (TestServer server = new TestServer(s -> {
            s.output = folder;
            return s;
        })) {
            JsonNode first = TestServer.node(server.get("/api/v1/images?limit=2"));
            assertThat(first.get("images").findValuesAsText("id")).containsExactly("00003-2", "00002-1");
            assertThat(first.get("next").asText()).isEqualTo("00002-1");
            JsonNode second = TestServer.node(server.get("/api/v1/images?limit=2&before=00002-1"));
            assertThat(second.get("images").findValuesAsText("id")).containsExactly("00001-0");
            assertThat(second.get("next").isNull()).isTrue();
            assertThat(first.at("/images/0/parameters").asText()).startsWith("a star").contains("Seed: 2");
            assertThat(server.get("/api/v1/images/00003-2.png").body()).isEqualTo(server.quick("a star", 2));
            assertThat(TestServer.node(server.get("/api/v1/images/00003-2")).get("id").asText())
                    .isEqualTo("00003-2");
            assertThat(server.send(server.request("/api/v1/images/00003-2").DELETE()).statusCode()).isEqualTo(204);
            assertThat(folder.resolve("00003-2.png")).doesNotExist();
            for (String name : List.of("00003-2.png", "secret", "secret.png", "..%2Fx.png", "00003-2")) {
                assertThat(server.get("/api/v1/images/" + name).statusCode()).isIn(400, 404);
            }
            server.await(server.job(quick("a star", 7)).get("id").asText(), "completed");
            assertThat(folder.resolve("00004-7.png")).exists();
            assertThat(folder.resolve("secret.png")).exists();
        }
    }

    @Test
    void stoppingLetsThePictureEndAndTellsTheOthers() throws Exception {
        TestServer server = new TestServer(s -> {
            s.output = folder;
            return s;
        });
        try (server) {
            String running = server.job(LONG.replace("200", "30")).get("id").asText();
            server.await(running, "generating");
            JsonNode waiting = server.job(quick("a star", 1));
            var events = server.client.sendAsync(server.request(waiting.get("events_url").asText()).build(),
                    HttpResponse.BodyHandlers.ofInputStream());
            var sync = server.client.sendAsync(TestServer.json(server.request("/v1/images/generations"),
                    "{\"prompt\":\"a star\",\"size\":\"32x32\"}").build(), HttpResponse.BodyHandlers.ofString());
            while (TestServer.node(server.get("/readyz")).get("waiting").asInt() < 2) {
                Thread.sleep(10);
            }
            server.server.stop(Duration.ofSeconds(60));
            assertThat(TestServer.events(events.get().body()).getLast().name()).isEqualTo("cancelled");
            assertThat(sync.get().statusCode()).isEqualTo(503);
            try (Stream<Path> files = Files.list(folder)) {
                assertThat(files.map(file -> file.getFileName().toString())).containsExactly("00001-1.png");
            }
        }
    }

    @Test
    void aPlanSaysWhatARequestTakes() throws IOException, InterruptedException {
        try (TestServer server = new TestServer()) {
            JsonNode small = TestServer.node(server.post("/api/v1/plan", quick("a star", 1)));
            JsonNode large = TestServer.node(server.post("/api/v1/plan",
                    "{\"prompt\":\"a star\",\"width\":256,\"height\":256}"));
            assertThat(small.at("/memory/peak").asLong()).isPositive()
                    .isLessThan(large.at("/memory/peak").asLong());
            assertThat(large.at("/memory/stages").findValuesAsText("name")).contains("transformer", "vae decode");
            assertThat(large.get("steps").asInt()).isEqualTo(20);
        }
    }
}
