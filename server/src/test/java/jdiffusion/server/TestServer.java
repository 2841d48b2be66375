package jdiffusion.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.PictureText;
import jdiffusion.model.request.TaesdInput;
import jdiffusion.model.settings.Infotext;
import jdiffusion.server.draw.Limits;

/** A server with the repository's small model, and a client for it. */
public final class TestServer implements AutoCloseable {
    static final ObjectMapper JSON = new ObjectMapper();
    /** The model's folder. */
    public static final Path SHAPES = shapes();
    /** Small and quick. */
    static final String QUICK = "\"width\":32,\"height\":32,\"steps\":2";
    /** Long enough to be found at work. */
    static final String LONG = "{\"prompt\":\"a red circle\",\"width\":128,\"height\":128,\"steps\":200,\"seed\":1}";

    final Backend backend = new CpuBackend(2, Precision.F32, null);
    final List<String> log = new ArrayList<>();
    final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    final Server server;

    TestServer() {
        this(settings -> settings);
    }

    TestServer(UnaryOperator<SettingsChange> change) {
        SettingsChange settings = change.apply(new SettingsChange());
        server = Server.start(settings.apply(ServerSettings.builder(backend, SHAPES), this::log));
    }

    private static Path shapes() {
        for (Path folder = Path.of("").toAbsolutePath(); folder != null; folder = folder.getParent()) {
            if (Files.isDirectory(folder.resolve("models/shapes"))) {
                return folder.resolve("models/shapes");
            }
        }
        throw new IllegalStateException("no models/shapes above");
    }

    private static Infotext text(String prompt, GenerationRequest r, ModelFiles files) {
        LoraRecord loras = LoraRecord.of(prompt, List.of(), List.of(), List.of());
        return new PictureText(files, "shapes", Precision.F32, new InputPictures(r.init(), r.mask()), loras, ControlInput.none(files),
                TaesdInput.NONE, Map.of(), "jdiffusion").of(r);
    }

    /** What a test changes. */
    static final class SettingsChange {
        Path output;
        Path loras;
        Path controlNets;
        Path models;
        int queue = ServerSettings.USUAL_QUEUE;
        Duration idle = ServerSettings.USUAL_IDLE;
        List<String> keys = List.of();
        List<String> hosts = List.of();
        Limits limits = Limits.DEFAULT;

        ServerSettings apply(ServerSettings.Builder server, Consumer<String> log) {
            return server.modelsFolder(models).loraFolder(loras).controlFolder(controlNets).output(output)
                    .limits(limits).queue(queue).idle(idle).keys(keys).hosts(hosts).log(log).build();
        }
    }

    private synchronized void log(String line) {
        log.add(line);
    }

    synchronized List<String> log() {
        return List.copyOf(log);
    }

    /** What the library draws for a request, as the file that the server would send. */
    byte[] expected(String prompt, UnaryOperator<GenerationRequest.Builder> change) {
        try (Pipeline pipeline = Pipeline.open(SHAPES, backend)) {
            GenerationRequest request = change.apply(pipeline.request(prompt).toBuilder()).build();
            Picture picture = pipeline.generate(request, Progress.NONE).getFirst();
            return Png.encode(picture, Map.of(Infotext.KEYWORD, text(prompt, request, pipeline.files()).text()));
        }
    }

    byte[] quick(String prompt, long seed) {
        return expected(prompt, builder -> builder.size(32, 32).steps(2).seed(seed));
    }

    URI uri(String path) {
        return server.address().resolve(path);
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(uri(path));
    }

    HttpResponse<byte[]> send(HttpRequest.Builder request) throws IOException, InterruptedException {
        return client.send(request.build(), HttpResponse.BodyHandlers.ofByteArray());
    }

    HttpResponse<byte[]> get(String path) throws IOException, InterruptedException {
        return send(request(path));
    }

    static HttpRequest.Builder json(HttpRequest.Builder request, String body) {
        return request.header("Content-Type", "application/json").POST(HttpRequest.BodyPublishers.ofString(body));
    }

    HttpResponse<byte[]> post(String path, String body) throws IOException, InterruptedException {
        return send(json(request(path), body));
    }

    static JsonNode node(HttpResponse<byte[]> response) throws IOException {
        return JSON.readTree(response.body());
    }

    /** Posts a job and gives what the server says of it. */
    JsonNode job(String body) throws IOException, InterruptedException {
        HttpResponse<byte[]> response = post("/api/v1/jobs", body);
        assertThat(response.statusCode()).as(new String(response.body(), StandardCharsets.UTF_8)).isEqualTo(202);
        return node(response);
    }

    JsonNode jobState(String id) throws IOException, InterruptedException {
        return node(get("/api/v1/jobs/" + id));
    }

    /** Waits for a job to have a status. */
    JsonNode await(String id, String... statuses) throws IOException, InterruptedException {
        for (int i = 0; i < 3000; i++) {
            JsonNode job = jobState(id);
            if (List.of(statuses).contains(job.get("status").asText())) {
                return job;
            }
            Thread.sleep(10);
        }
        throw new AssertionError("job " + id + " is " + jobState(id));
    }

    /** An event of a stream. */
    record Event(String id, String name, JsonNode data) {
    }

    /** Reads a stream to its end. */
    static List<Event> events(InputStream in) throws IOException {
        List<Event> events = new ArrayList<>();
        String all = new String(in.readAllBytes(), StandardCharsets.UTF_8);
        for (String block : all.split("\n\n")) {
            String id = null;
            String name = null;
            JsonNode data = null;
            for (String line : block.split("\n")) {
                id = line.startsWith("id: ") ? line.substring(4) : id;
                name = line.startsWith("event: ") ? line.substring(7) : name;
                data = line.startsWith("data: ") ? JSON.readTree(line.substring(6)) : data;
            }
            if (data != null) {
                events.add(new Event(id, name, data));
            }
        }
        return events;
    }

    List<Event> events(String path) throws IOException, InterruptedException {
        try (InputStream in = client.send(request(path).build(), HttpResponse.BodyHandlers.ofInputStream()).body()) {
            return events(in);
        }
    }

    @Override
    public void close() {
        server.close();
        client.close();
        backend.close();
    }
}
