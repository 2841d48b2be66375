package jdiffusion.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Many clients at once, of which some go away: nothing is lost, nothing is drawn twice, every byte is right. */
class LoadTest {
    /** 100 clients and 200 listeners take some ten seconds more. */
    private static final int CLIENTS = Integer.getInteger("jdiffusion.server.clients", 20);
    private static final int LISTENERS = 2 * CLIENTS;
    private static final int PROMPTS = 4;

    private static String body(int i, String more) {
        return "{\"prompt\":\"picture " + i % PROMPTS + "\",\"seed\":" + i + ",\"steps\":2," + more + "}";
    }

    @Test
    void manyClientsOfWhichATenthGoAway() throws Exception {
        try (TestServer server = new TestServer();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            String blocker = server.job(TestServer.LONG).get("id").asText();
            List<Future<byte[]>> answers = new ArrayList<>();
            List<CompletableFuture<?>> leaving = new ArrayList<>();
            for (int i = 0; i < CLIENTS; i++) {
                int n = i;
                var request = TestServer.json(server.request("/v1/images/generations"),
                        body(n, "\"size\":\"32x32\"")).build();
                if (n % 10 == 9) {
                    leaving.add(server.client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray()));
                } else {
                    answers.add(threads.submit(() -> base64(server, request)));
                }
            }
            JsonNode watched = server.job(body(7, TestServer.QUICK.replace(",\"steps\":2", "")));
            String events = watched.get("events_url").asText();
            List<Future<List<TestServer.Event>>> listening = new ArrayList<>();
            for (int i = 0; i < LISTENERS; i++) {
                listening.add(threads.submit(() -> server.events(events)));
            }
            while (TestServer.node(server.get("/readyz")).get("waiting").asInt() < CLIENTS + 1) {
                Thread.sleep(10);
            }
            leaving.forEach(request -> request.cancel(true));
            while (TestServer.node(server.get("/readyz")).get("waiting").asInt() > CLIENTS + 1 - leaving.size()) {
                Thread.sleep(10);
            }
            server.send(server.request("/api/v1/jobs/" + blocker).DELETE());

            Map<Integer, byte[]> got = new HashMap<>();
            int at = 0;
            for (int i = 0; i < CLIENTS; i++) {
                if (i % 10 != 9) {
                    got.put(i, answers.get(at++).get());
                }
            }
            for (Future<List<TestServer.Event>> listener : listening) {
                List<TestServer.Event> seen = listener.get();
                assertThat(seen.getLast().name()).isEqualTo("done");
                assertThat(seen.stream().filter(event -> event.name().equals("image"))).hasSize(1);
                assertThat(seen.stream().map(event -> Integer.valueOf(event.id()))).isSorted().doesNotHaveDuplicates();
            }
            for (Map.Entry<Integer, byte[]> answer : got.entrySet()) {
                int i = answer.getKey();
                assertThat(answer.getValue()).isEqualTo(server.quick("picture " + i % PROMPTS, i));
            }
            String metrics = new String(server.get("/metrics").body(), StandardCharsets.UTF_8);
            assertThat(metrics).contains("jdiffusion_images_total{model=\"shapes\"} " + (got.size() + 1) + ".0",
                    "jdiffusion_jobs_total{outcome=\"completed\"} " + (got.size() + 1) + ".0",
                    "jdiffusion_jobs_total{outcome=\"cancelled\"} " + (leaving.size() + 1) + ".0");
        }
    }

    private static byte[] base64(TestServer server, HttpRequest request)
            throws IOException, InterruptedException {
        HttpResponse<InputStream> response = server.client.send(request, HttpResponse.BodyHandlers.ofInputStream());
        JsonNode answer = TestServer.JSON.readTree(response.body());
        assertThat(response.statusCode()).as(answer.toString()).isEqualTo(200);
        return Base64.getDecoder().decode(answer.at("/data/0/b64_json").asText());
    }
}
