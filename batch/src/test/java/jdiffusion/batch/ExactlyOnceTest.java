package jdiffusion.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every picture is there once, whoever is killed when. */
class ExactlyOnceTest {
    @TempDir
    private Path folder;

    /** A process that ends at once. */
    private static final class Killed extends Error {
        private static final long serialVersionUID = 1L;
    }

    private static List<Row> rows(int count, String prompt) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            // Every seventh row is equal to the one before.
            int content = i % 7 == 6 ? i - 1 : i;
            ObjectNode columns = JsonTree.object().put("prompt", prompt + " {a|b|c} " + content).put("mine", i);
            if (i % 11 == 3) {
                columns.put("images", 3);
            }
            rows.add(Row.of(i, i + 1, columns));
        }
        return rows;
    }

    private RowReader reader() {
        return new RowReader(null, false, folder, 5, _ -> { });
    }

    /** A store in memory as an object store is one: uploads are whole, and may come twice. */
    private static final class MemoryStore implements PictureStore {
        private final Map<String, byte[]> files = new ConcurrentHashMap<>();
        private final AtomicInteger again = new AtomicInteger();

        @Override
        public boolean has(Planned picture) {
            return files.containsKey(picture.name());
        }

        @Override
        public long put(Planned picture, byte[] file) {
            byte[] before = files.put(picture.name(), file);
            if (before != null) {
                again.incrementAndGet();
                assertThat(file).isEqualTo(before);
            }
            return file.length;
        }

        @Override
        public long size(Planned picture) {
            return files.get(picture.name()).length;
        }

        @Override
        public String place(Planned picture) {
            return picture.name();
        }
    }

    /** A scheduler with executors that die, retries, and speculative copies of tasks. */
    @Test
    void aThousandExecutorsOfWhichManyDie() throws Exception {
        int executors = 1000;
        int each = 10;
        List<Row> rows = rows(executors * each, "p");
        MemoryStore store = new MemoryStore();
        Map<Integer, List<ObjectNode>> results = new ConcurrentHashMap<>();
        AtomicInteger deaths = new AtomicInteger();
        AtomicInteger drawn = new AtomicInteger();
        try (var threads = Executors.newFixedThreadPool(8)) {
            List<Future<?>> tasks = new ArrayList<>();
            for (int task = 0; task < executors; task++) {
                int number = task;
                List<Row> part = rows.subList(number * each, (number + 1) * each);
                int copies = number % 10 == 0 ? 2 : 1;
                for (int copy = 0; copy < copies; copy++) {
                    Random random = new Random(31L * number + copy);
                    tasks.add(threads.submit(() -> {
                        for (int attempt = 0; attempt < 40; attempt++) {
                            List<ObjectNode> lines = attempt(part, store, random, drawn);
                            if (lines != null) {
                                results.putIfAbsent(number, lines);
                                return;
                            }
                            deaths.incrementAndGet();
                        }
                        throw new AssertionError("a task died 40 times");
                    }));
                }
            }
            for (Future<?> one : tasks) {
                one.get();
            }
        }
        assertThat(deaths.get()).isGreaterThan(executors / 4);
        Set<String> names = new HashSet<>();
        int lines = 0;
        for (int task = 0; task < executors; task++) {
            for (ObjectNode line : results.get(task)) {
                lines++;
                names.add(line.get("name").textValue());
                assertThat(line.get("error").isNull()).isTrue();
                assertThat(line.get("bytes").longValue())
                        .isEqualTo(store.files.get(line.get("name").textValue()).length);
            }
        }
        assertThat(lines).isEqualTo(rows.stream().mapToInt(row -> row.columns().path("images").asInt(1)).sum());
        assertThat(store.files.keySet()).isEqualTo(names);
        // What is drawn more than once was in flight when somebody died, or in two copies of a task.
        assertThat(drawn.get() - names.size()).isLessThanOrEqualTo(deaths.get() * each + executors / 10 * 3 * each);
    }

    /** One attempt of a task; null where it dies. */
    private List<ObjectNode> attempt(List<Row> part, PictureStore store, Random random, AtomicInteger drawn) {
        List<ObjectNode> lines = new ArrayList<>();
        RowReader reader = reader();
        try {
            new BatchRun(new FakePainter(reader, _ -> {
                if (random.nextInt(40) == 0) {
                    throw new Killed();
                }
                drawn.incrementAndGet();
            }), store, false).run(part.iterator(), (_, _, _) -> null, outcome -> {
                if (random.nextInt(60) == 0) {
                    throw new Killed();
                }
                lines.add(outcome.json(reader.id(outcome.row()), reader.other(outcome.row()), "h", "d"));
            }, () -> { });
            return lines;
        } catch (Killed e) {
            return null;
        }
    }

    /** The folder of {@code batch}, gone on with until nobody dies. */
    @Test
    void aRunThatDiesAndIsResumed() throws IOException {
        List<Row> rows = rows(400, "q");
        RowReader reader = reader();
        Map<String, Integer> drawn = new HashMap<>();
        Random random = new Random(3);
        int deaths = 0;
        boolean done = false;
        while (!done) {
            try (BatchFolder target = new BatchFolder(folder, Shard.WHOLE, true)) {
                target.run(new BatchRun(new FakePainter(reader, picture -> {
                    if (random.nextInt(60) == 0) {
                        throw new Killed();
                    }
                    drawn.merge(picture.name(), 1, Integer::sum);
                }), target.store(), false), rows.iterator(), Shard.WHOLE, reader, "none", BatchFollower.NONE);
                done = true;
            } catch (Killed e) {
                deaths++;
                // What a process that is killed leaves half-written.
                Files.writeString(folder.resolve("manifest.jsonl.part"), Files.exists(folder.resolve(
                        "manifest.jsonl.part")) ? Files.readString(folder.resolve("manifest.jsonl.part"))
                                + "{\"row\":3,\"im" : "{\"ro");
            }
        }
        assertThat(deaths).isGreaterThan(3);
        assertThat(drawn.values()).allMatch(times -> times == 1);
        checkFolder(rows, drawn.keySet());
    }

    private void checkFolder(List<Row> rows, Set<String> names) throws IOException {
        List<String> lines = Files.readAllLines(folder.resolve("manifest.jsonl"));
        List<List<Integer>> places = lines.stream().map(line -> (ObjectNode) JsonTree.readWhole(line))
                .map(line -> List.of(line.get("row").intValue(), line.get("image").intValue())).toList();
        List<List<Integer>> wanted = new ArrayList<>();
        rows.forEach(row -> {
            for (int i = 0; i < row.columns().path("images").asInt(1); i++) {
                wanted.add(List.of((int) row.number(), i));
            }
        });
        assertThat(places).isEqualTo(wanted);
        try (Stream<Path> files = Files.walk(folder.resolve("images"))) {
            List<Path> pictures = files.filter(Files::isRegularFile).toList();
            assertThat(pictures.stream().map(file -> file.getFileName().toString().replace(".png", ""))
                    .collect(java.util.stream.Collectors.toSet())).isEqualTo(names);
        }
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files.map(file -> file.getFileName().toString()))
                    .containsExactlyInAnyOrder("images", "manifest.jsonl", ".lock");
        }
    }

    @Test
    void failedRowsAreTriedAgainAndOthersStay() throws IOException {
        List<Row> rows = new ArrayList<>(rows(150, "r"));
        rows.set(3, Row.of(3, 4, JsonTree.object().put("prompt", "fails now")));
        rows.set(9, Row.of(9, 10, JsonTree.object().put("prompt", "bad")));
        rows.set(20, new Row(20, 21, null, "this line is broken"));
        assertThat(run(rows, true)).containsExactly(3, 9, 20);
        String before = Files.readString(folder.resolve("manifest.jsonl"));
        rows.set(3, Row.of(3, 4, JsonTree.object().put("prompt", "works now")));
        assertThat(run(rows, true)).containsExactly(9, 20);
        String after = Files.readString(folder.resolve("manifest.jsonl"));
        List<String> changed = new ArrayList<>(Arrays.asList(after.split("\n")));
        changed.removeAll(Arrays.asList(before.split("\n")));
        assertThat(changed).hasSize(1).first().asString().contains("works now");
        assertThatThrownBy(() -> run(rows, false)).isInstanceOf(InputException.class).hasMessageContaining("--resume");
    }

    private List<Integer> run(List<Row> rows, boolean resume) {
        List<Integer> failed = new ArrayList<>();
        RowReader reader = reader();
        try (BatchFolder target = new BatchFolder(folder, Shard.WHOLE, resume)) {
            target.run(new BatchRun(new FakePainter(reader, _ -> { }), target.store(), false), rows.iterator(),
                    Shard.WHOLE, reader, "none", new BatchFollower() {
                        @Override
                        public void failed(Outcome outcome) {
                            failed.add((int) outcome.row().number());
                        }
                    });
        }
        return failed;
    }

    @Test
    void strictEndsAtTheFirstBadRow() {
        List<Row> rows = rows(5, "s");
        rows.set(2, Row.of(2, 3, JsonTree.object().put("prompt", "bad")));
        RowReader reader = reader();
        try (BatchFolder target = new BatchFolder(folder, Shard.WHOLE, false)) {
            assertThatThrownBy(() -> target.run(new BatchRun(new FakePainter(reader, _ -> { }), target.store(), true),
                    rows.iterator(), Shard.WHOLE, reader, "none", BatchFollower.NONE))
                    .isInstanceOf(InputException.class).hasMessage("line 3: this row is bad");
        }
    }

    @Test
    void twoProcessesCannotDrawTheSameShard() {
        try (BatchFolder first = new BatchFolder(folder, new Shard(1, 2), true);
                BatchFolder other = new BatchFolder(folder, new Shard(0, 2), true)) {
            assertThat(first.manifest()).isNotEqualTo(other.manifest());
            assertThatThrownBy(() -> new BatchFolder(folder, new Shard(1, 2), true))
                    .isInstanceOf(InputException.class).hasMessageContaining("another process is drawing this shard");
        }
    }
}
