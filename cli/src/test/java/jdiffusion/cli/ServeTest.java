package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.image.Png;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The server as a user starts and ends it. */
class ServeTest {
    private static final Duration PATIENCE = Duration.ofMinutes(5);
    private static final Pattern LISTENING = Pattern.compile("listening at (http://\\S+)");

    private static final Pattern ID = Pattern.compile("\"id\":\"(\\d+-\\d+)\"");
    private static final Pattern EVENTS = Pattern.compile("\"events_url\":\"([^\"]+)\"");
    private static final String LOST = "the picture could not be kept in the server's folder";
    private static final int KILLS = Integer.getInteger("jdiffusion.server.kills", 2);

    @TempDir
    private Path folder;

    private static HttpResponse<String> post(HttpClient client, URI server, String path, String body)
            throws IOException, InterruptedException {
        return client.send(request(server, path, body), HttpResponse.BodyHandlers.ofString());
    }

    private static HttpRequest request(URI server, String path, String body) {
        return HttpRequest.newBuilder(server.resolve(path)).header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)).build();
    }

    @Test
    void drawsWhatGenerateDrawsAndEndsWhenToldTo() throws Exception {
        Path log = folder.resolve("log");
        Path pictures = folder.resolve("pictures");
        Path same = folder.resolve("same.png");
        Cli drawn = Cli.run("generate", "a star", "--device", "cpu", "-W", 32, "-H", 32, "--steps", 2, "-s", 5, "-o",
                same);
        assertThat(drawn.code()).isZero();
        Process process = ChildJvm.process(ChildJvm.command(List.of(), "serve", "--device", "cpu", "--port", 0, "-o",
                pictures)).redirectOutput(log.toFile()).start();
        try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
            URI server = address(process, log);
            String body = "{\"prompt\":\"a star\",\"width\":32,\"height\":32,\"steps\":2,\"seed\":5}";
            assertThat(post(client, server, "/sdapi/v1/txt2img", body).statusCode()).isEqualTo(200);
            assertThat(pictures.resolve("00001-5.png")).hasSameBinaryContentAs(same);
            String busy = "{\"prompt\":\"a star\",\"width\":64,\"height\":64,\"steps\":50,\"seed\":6}";
            CompletableFuture<HttpResponse<String>> last = client.sendAsync(request(server, "/sdapi/v1/txt2img", busy),
                    HttpResponse.BodyHandlers.ofString());
            while (!get(client, server.resolve("/sdapi/v1/progress")).contains("\"sampling_steps\":50")) {
                assertThat(last).as("what keeps the server busy").isNotDone();
                Thread.sleep(10);
            }
            process.destroy();
            assertThat(process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
            assertThat(last.get().statusCode()).isEqualTo(200);
        } finally {
            process.destroyForcibly();
        }
        assertThat(Files.readString(log)).contains("POST /sdapi/v1/txt2img 200", "stopping;", "stopped");
        assertThat(Cli.names(pictures)).containsExactlyInAnyOrder("00001-5.png", "00002-6.png");
        assertThat(Png.read(pictures.resolve("00002-6.png")).picture().width()).isEqualTo(64);
        Path again = folder.resolve("again.png");
        assertThat(Cli.run("generate", "--from", pictures.resolve("00001-5.png"), "-o", again).code()).isZero();
        assertThat(again).hasSameBinaryContentAs(same);
    }

    private static String get(HttpClient client, URI uri) throws IOException, InterruptedException {
        return client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofString()).body();
    }

    private static URI address(Process process, Path log) throws IOException, InterruptedException {
        Instant start = Instant.now();
        while (process.isAlive() && Instant.now().isBefore(start.plus(PATIENCE))) {
            Matcher listening = LISTENING.matcher(Files.readString(log));
            if (listening.find()) {
                return URI.create(listening.group(1));
            }
            Thread.sleep(20);
        }
        return fail("the server does not start: " + Files.readString(log));
    }

    private static List<String> pngs(Path pictures) throws IOException {
        return Cli.names(pictures).stream().filter(name -> name.endsWith(".png")).sorted().toList();
    }

    /** All pictures of the folder, each of which must be whole. */
    private static List<String> wholePictures(Path pictures) throws IOException {
        List<String> names = pngs(pictures);
        for (String name : names) {
            assertThat(Png.read(pictures.resolve(name)).picture().width()).as(name).isEqualTo(32);
        }
        return names;
    }

    private static List<String> history(HttpClient client, URI server) throws IOException, InterruptedException {
        List<String> names = new ArrayList<>();
        Matcher id = ID.matcher(get(client, server.resolve("/api/v1/images?limit=200")));
        while (id.find()) {
            names.addFirst(id.group(1) + ".png");
        }
        return names;
    }

    @Test
    void whoIsKilledLeavesWholePictures() throws Exception {
        Path pictures = Files.createDirectory(folder.resolve("pictures"));
        List<String> before = List.of();
        // What a server leaves that was killed while it wrote, long ago.
        Path part = Files.write(pictures.resolve(".jdiffusion-1.part"), new byte[100]);
        Files.setLastModifiedTime(part, FileTime.from(Instant.now().minus(Duration.ofDays(1))));
        for (int kill = 0; kill < KILLS; kill++) {
            Path log = folder.resolve("log" + kill);
            Process process = ChildJvm.process(ChildJvm.command(List.of(), "serve", "--device", "cpu", "--port", 0,
                    "-o", pictures)).redirectOutput(log.toFile()).start();
            try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
                URI server = address(process, log);
                assertThat(history(client, server)).isEqualTo(before);
                for (int i = 0; i < 50; i++) {
                    post(client, server, "/api/v1/jobs", "{\"prompt\":\"a star\",\"width\":32,\"height\":32,"
                            + "\"steps\":1,\"images\":16}");
                }
                while (pngs(pictures).size() < before.size() + 20) {
                    Thread.sleep(1);
                }
            } finally {
                process.destroyForcibly().waitFor();
            }
            before = wholePictures(pictures);
            assertThat(before).hasSizeGreaterThanOrEqualTo(20 * (kill + 1));
        }
        assertThat(part).doesNotExist();
    }

    /** No file may grow beyond some kilobytes, as if the disk were full: small pictures fit, larger ones do not. */
    @Test
    void aFullDiskCostsNoAnswer() throws Exception {
        assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "no /bin/sh");
        Path pictures = folder.resolve("pictures");
        List<String> command = new ArrayList<>(List.of("/bin/sh", "-c", "ulimit -f 16; exec \"$@\"", "sh"));
        command.addAll(ChildJvm.command(List.of("-XX:-UsePerfData"), "serve", "--device", "cpu", "--port", 0, "-o",
                pictures));
        Process process = ChildJvm.process(command).start();
        try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
            BufferedReader lines = process.inputReader();
            Matcher listening = LISTENING.matcher("");
            String line = lines.readLine();
            while (line != null && !listening.reset(line).find()) {
                line = lines.readLine();
            }
            assertThat(line).as("the server does not start").isNotNull();
            URI server = URI.create(listening.group(1));
            List<String> said = Collections.synchronizedList(new ArrayList<>());
            Thread.ofVirtual().start(() -> lines.lines().forEach(said::add));
            for (int side : List.of(32, 128, 32)) {
                HttpResponse<String> answer = post(client, server, "/sdapi/v1/txt2img", "{\"prompt\":\"a star\",\"width\":"
                        + side + ",\"height\":" + side + ",\"steps\":2,\"seed\":5}");
                assertThat(answer.statusCode()).isEqualTo(200);
                assertThat(answer.body()).hasSizeGreaterThan(side * side);
            }
            String job = post(client, server, "/api/v1/jobs", "{\"prompt\":\"a star\",\"width\":128,\"height\":128,"
                    + "\"steps\":2,\"seed\":6}").body();
            Matcher events = EVENTS.matcher(job);
            assertThat(events.find()).isTrue();
            assertThat(get(client, server.resolve(events.group(1)))).contains("event: note", LOST, "event: done");
            assertThat(said).anyMatch(told -> told.contains(LOST));
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertThat(Cli.names(pictures)).allMatch(name -> name.endsWith("-5.png"));
        assertThat(wholePictures(pictures)).hasSize(2);
    }

    @Test
    void whatCannotBeUsedIsSaidInALine() throws IOException {
        Path file = Files.writeString(folder.resolve("file"), "");
        for (List<Object> args : List.of(List.<Object>of("--port", 70_000), List.<Object>of("--queue", 0),
                List.<Object>of("--host", "no.such.host.invalid"), List.<Object>of("--models-dir", file),
                List.<Object>of("--lora-dir", file), List.<Object>of("--api-key-file", file),
                List.<Object>of("--max-megapixels", 0), List.<Object>of("-m", folder.resolve("none")),
                List.<Object>of("-o", file), List.<Object>of("--api-key", " "))) {
            List<Object> all = new ArrayList<>(List.of("serve", "--device", "cpu"));
            all.addAll(args);
            Cli run = Cli.run(all.toArray());
            assertThat(run.code()).as(args.toString()).isEqualTo(2);
            assertThat(run.err().getLast()).as(args.toString()).startsWith("jdiffusion: ");
        }
    }
}
