package jdiffusion.server;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import jdiffusion.model.request.LoadedModel;
import jdiffusion.model.request.PictureFields;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/**
 * How long the server itself takes: a request beside the library's call for the same picture, a request after another
 * model's, the start with the launcher until it is ready. Measured, not judged:
 * {@code ./mvnw -pl server -am test -Dtest=ServerBench -Djdiffusion.server.bench=ROUNDS
 * -Dsurefire.failIfNoSpecifiedTests=false}.
 */
@EnabledIfSystemProperty(named = "jdiffusion.server.bench", matches = "\\d+")
class ServerBench {
    private static final int ROUNDS = Integer.getInteger("jdiffusion.server.bench", 0);
    private static final int WARMING = 10;
    private static final int STARTS = 7;
    private static final String BODY = "{\"prompt\":\"a star\",\"size\":\"128x128\",\"steps\":4,\"seed\":1,\"model\":\"%s\"}";

    private static double millis(Callable<?> work) throws Exception {
        long start = System.nanoTime();
        work.call();
        return (System.nanoTime() - start) / 1e6;
    }

    private static String described(List<Double> millis) {
        double[] sorted = millis.stream().mapToDouble(Double::doubleValue).sorted().toArray();
        return String.format(Locale.ROOT, "median %.1f ms, %.1f to %.1f of %d", sorted[sorted.length / 2], sorted[0],
                sorted[sorted.length - 1], sorted.length);
    }

    private static JsonNode draw(TestServer server, String model) throws IOException, InterruptedException {
        HttpResponse<byte[]> response = server.post("/v1/images/generations", String.format(BODY, model));
        if (response.statusCode() != 200) {
            throw new IOException(new String(response.body()));
        }
        return TestServer.node(response);
    }

    @Test
    void aRequestBesideTheLibrarysCall() throws Exception {
        PictureFields asked = new PictureFields();
        asked.prompt = "a star";
        asked.width = 128;
        asked.height = 128;
        asked.steps = 4;
        asked.seed = 1L;
        List<Double> requests = new ArrayList<>();
        List<Double> calls = new ArrayList<>();
        List<Double> more = new ArrayList<>();
        try (TestServer server = new TestServer(); LoadedModel model = LoadedModel.open(TestServer.SHAPES,
                server.backend)) {
            for (int i = 0; i < ROUNDS + WARMING; i++) {
                double call = millis(() -> model.draw(asked));
                double request = millis(() -> draw(server, "shapes"));
                if (i >= WARMING) {
                    calls.add(call);
                    requests.add(request);
                    more.add(request - call);
                }
            }
        }
        System.out.println("128x128, 4 steps: request " + described(requests) + "; library's call " + described(calls)
                + "; difference of each pair " + described(more));
    }

    @Test
    void aSwitchBetweenTwoModels(@TempDir Path folder) throws Exception {
        for (String name : List.of("one", "two")) {
            try (Stream<Path> files = Files.walk(TestServer.SHAPES)) {
                for (Path file : files.toList()) {
                    Files.copy(file, folder.resolve(name).resolve(TestServer.SHAPES.relativize(file).toString()));
                }
            }
        }
        List<Double> same = new ArrayList<>();
        List<Double> other = new ArrayList<>();
        List<Double> more = new ArrayList<>();
        try (TestServer server = new TestServer(s -> {
            s.models = folder;
            return s;
        })) {
            for (int i = 0; i < ROUNDS + WARMING; i++) {
                String name = i % 2 == 0 ? "one" : "two";
                double switched = millis(() -> draw(server, name));
                double again = millis(() -> draw(server, name));
                if (i >= WARMING) {
                    other.add(switched);
                    same.add(again);
                    more.add(switched - again);
                }
            }
        }
        System.out.println("the other model " + described(other) + "; the same again " + described(same)
                + "; difference of each pair " + described(more));
    }

    @Test
    void fromTheStartToReady() throws Exception {
        List<Double> starts = new ArrayList<>();
        Path launcher = TestServer.SHAPES.resolve("../../jdiffusion").normalize();
        for (int i = 0; i <= STARTS; i++) {
            long start = System.nanoTime();
            Process process = new ProcessBuilder(launcher.toString(), "serve", "--device", "cpu", "--port", "0")
                    .redirectErrorStream(true).start();
            try (BufferedReader lines = process.inputReader()) {
                String line = lines.readLine();
                while (line != null && !line.contains("listening at")) {
                    line = lines.readLine();
                }
                if (i > 0) { // the first may build
                    starts.add((System.nanoTime() - start) / 1e6);
                }
            } finally {
                process.destroyForcibly().waitFor();
            }
        }
        System.out.println("launcher's start to listening " + described(starts));
    }
}
