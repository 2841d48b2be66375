package jdiffusion.model.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Scope;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.kernels.profile.Profile;
import jdiffusion.kernels.profile.ProfileSummary;
import jdiffusion.kernels.profile.ProfilingBackend;
import jdiffusion.kernels.profile.Span;
import jdiffusion.kernels.profile.TraceFile;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Denoiser;
import jdiffusion.model.sd3.MmditConfig;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The profile of a small denoiser: FLOPs by a closed formula, scopes, and the trace that is written of them. */
class DenoiserProfileTest {
    private static final int TEXT = 5;
    private static final int BATCH = 2;
    private static final Shapes SHAPES = new Shapes(48, 32, BATCH, TEXT);

    private static SyntheticModel tiny(String kind) {
        return Families.synthetic(kind).tiny(new Vocabularies(50, 51, 52));
    }

    /** What {@code bench} says of it, and a profile of two steps. */
    private record Run(Measurement measured, Profile profile, MmditConfig config, long nanos) {
        static Run of(String kind) {
            try (CpuBackend backend = new CpuBackend(2, Precision.F32)) {
                Measurement measured = new Bench(backend, new Settings(2, 0, 1, null), _ -> { })
                        .measure(ModelCases.denoiser(tiny(kind), SHAPES).getFirst());
                ProfilingBackend profiling = new ProfilingBackend(backend);
                long start = System.nanoTime();
                MmditConfig config = steps(profiling, kind);
                return new Run(measured, profiling.profile(), config, System.nanoTime() - start);
            }
        }

        private static MmditConfig steps(ProfilingBackend profiling, String kind) {
            @SuppressWarnings("unchecked")
            var one = (Case<Denoiser>) ModelCases.denoiser(tiny(kind), SHAPES).getFirst();
            return Stages.run(profiling, SyntheticFiles.tensors(tiny(kind), Component.DENOISER, DType.BF16), false,
                    Component.DENOISER, "denoiser", one.loader(), (Stage<Denoiser> stage) -> {
                Runnable run = one.prepare().prepare(stage.model(), stage.compute());
                for (int step = 0; step < 2; step++) {
                    try (var _ = stage.compute().backend().scope(Scope.STEP, step)) {
                        run.run();
                    }
                }
                return (MmditConfig) stage.model().config();
            }, _ -> { });
        }
    }

    /** Multiplications and additions of one evaluation, by figure 2 of Esser et al. (2024). */
    private static double flops(MmditConfig c) {
        double d = c.hidden();
        double b = BATCH;
        double image = 48 / 16 * 32 / 16;
        double text = 77 + TEXT;
        double sum = b * image * 64 * d + b * 256 * d + b * d * d;
        for (int i = 0; i < c.depth(); i++) {
            boolean last = i == c.depth() - 1;
            boolean dual = c.dualBlocks().contains(i);
            sum += b * d * d * ((dual ? 9 : 6) + (last ? 2 : 6));
            sum += b * d * d * (image * (3 + 1 + 8) + text * (last ? 2 : 3 + 1 + 8));
            sum += 2 * b * d * (last ? image : image + text) * (image + text);
            sum += dual ? b * d * d * image * 4 + 2 * b * d * image * image : 0;
        }
        sum += b * d * 2 * d + b * image * d * 64;
        return 2 * sum;
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd3-medium", "sd35-medium", "sd35-large"})
    void flopsAreThoseOfTheFormula(String kind) {
        Run run = Run.of(kind);
        assertThat(run.measured.flops()).isEqualTo(flops(run.config));
        assertThat(run.measured.seconds()).hasSize(2).allMatch(seconds -> seconds > 0);
        assertThat(run.measured.workspace()).isPositive();
        double inSteps = run.profile.events().stream().filter(event -> outermost(event.span(), Scope.STEP))
                .mapToDouble(event -> event.operation().flops()).sum();
        assertThat(inSteps).isEqualTo(2 * flops(run.config));
    }

    private static boolean outermost(Span span, String name) {
        Span at = span;
        while (at != null && !at.name().equals(name)) {
            at = at.parent();
        }
        return at != null;
    }

    /** Image and text as two streams with their norms, beside the products alone. */
    @Test
    void attentionIsTimedAsTheModelRunsIt() {
        assertThat(ProductCases.attention(tiny("sd35-medium"), SHAPES).stream().map(Case::what)).satisfiesExactly(
                plain -> assertThat(plain).matches("\\[2, \\d+, 88, 64]"),
                asRun -> assertThat(asRun).matches("\\[2, \\d+, 6\\+82, 64] norms"));
        assertThat(ProductCases.attention(tiny("sd3-medium"), SHAPES).getLast().what()).doesNotContain("norms");
    }

    @Test
    void scopesAreClosedAndOperationsFillNoMoreThanTheTime() {
        Run run = Run.of("sd35-medium");
        Profile profile = run.profile;
        List<String> blocks = IntStream.range(0, run.config.depth()).mapToObj(i -> "transformer_blocks." + i).toList();
        List<String> wanted = new ArrayList<>(List.of("load", "count", "workspace"));
        for (int step = 0; step < 2; step++) {
            wanted.add("step " + step);
            wanted.addAll(blocks);
        }
        assertThat(profile.spans().stream().map(Span::label)).isEqualTo(wanted);
        for (Span span : profile.spans()) {
            assertThat(span.end()).as(span.label()).isGreaterThan(span.start());
            assertThat(span.parent() == null || span.parent().start() <= span.start()
                    && span.end() <= span.parent().end()).isTrue();
        }
        ProfileSummary summary = ProfileSummary.of(profile, run.nanos, 0);
        assertThat(summary.seconds(true) + summary.seconds(false)).isLessThanOrEqualTo(summary.seconds());
        assertThat(summary.seconds(true)).isPositive();
    }

    @Test
    void theTraceNests(@TempDir Path folder) throws Exception {
        Run run = Run.of("sd35-medium");
        Path file = folder.resolve("trace.json");
        TraceFile.write(file, run.profile);
        JsonNode root = new ObjectMapper().reader().with(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                .readTree(Files.readAllBytes(file));
        assertThat(root.get("displayTimeUnit").textValue()).isEqualTo("ms");
        Deque<JsonNode> open = new ArrayDeque<>();
        int operations = 0;
        for (JsonNode event : root.get("traceEvents")) {
            if (event.get("ph").textValue().equals("M")) {
                continue;
            }
            assertThat(event.get("ph").textValue()).isEqualTo("X");
            while (!open.isEmpty() && end(open.peek()) <= start(event)) {
                open.pop();
            }
            if (!open.isEmpty()) {
                assertThat(end(event)).isLessThanOrEqualTo(end(open.peek()));
                assertThat(open.peek().get("cat").textValue()).isEqualTo("scope");
            }
            open.push(event);
            if (event.get("cat").textValue().equals("operation")) {
                var recorded = run.profile.events().get(operations++);
                assertThat(event.get("name").textValue()).isEqualTo(recorded.operation().kind());
                assertThat(event.at("/args/flops").longValue()).isEqualTo(recorded.operation().flops());
                assertThat(event.at("/args/bytes").longValue()).isEqualTo(recorded.operation().bytes());
                assertThat(event.at("/args/shape").textValue()).isEqualTo(recorded.operation().shape());
                assertThat(end(event) - start(event)).isEqualTo(recorded.nanos());
                String inner = open.size() < 2 ? null : open.stream().skip(1).findFirst().get().get("name").textValue();
                assertThat(inner).isEqualTo(recorded.span() == null ? null : recorded.span().label());
            }
        }
        assertThat(operations).isEqualTo(run.profile.events().size());
    }

    /** Nanoseconds. */
    private static long start(JsonNode event) {
        return event.get("ts").decimalValue().movePointRight(3).longValueExact();
    }

    private static long end(JsonNode event) {
        return start(event) + event.get("dur").decimalValue().movePointRight(3).longValueExact();
    }
}
