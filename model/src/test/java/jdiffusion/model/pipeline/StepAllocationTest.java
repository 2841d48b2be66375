package jdiffusion.model.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.TestData;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Progress;
import jdiffusion.model.synthetic.SyntheticFiles;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;
import jdiffusion.tensor.DType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The loop over steps makes no garbage. In a JVM of its own: what compilers make of code depends on all that ran before
 * them, and workers of other tests would be counted.
 */
@Tag("fresh-jvm")
class StepAllocationTest {
    private static final long MOST_BYTES = 64 << 10;
    private static final long MOST_GROWTH = 16 << 10;
    private static final int MOST_ROUNDS = 120;
    private static final int IDS = 1200;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** Bytes that the threads of the loop have allocated: this one and the workers, not the compiler's rehearsals. */
    private long allocated() {
        return Arrays.stream(threads.getThreadInfo(threads.getAllThreadIds()))
                .filter(t -> t != null && (t.getThreadId() == Thread.currentThread().threadId()
                        || t.getThreadName().startsWith("jdiffusion-worker")))
                .mapToLong(t -> threads.getThreadAllocatedBytes(t.getThreadId())).filter(b -> b > 0).sum();
    }

    /**
     * Vectors are boxed until their loops are compiled, so the first steps do allocate; later ones must not. How long
     * that takes depends on what else waits for the compiler, so there are several rounds.
     */
    @Test
    void aStepAllocatesAlmostNothing() {
        try (var backend = new CpuBackend(2, Precision.F32);
                var pipeline = Pipeline.open(TestData.defaultModel(), backend)) {
            var request = pipeline.request("a red circle").toBuilder().size(64, 64).t5Length(16).steps(50).build();
            long usual = Long.MAX_VALUE;
            for (int round = 0; round < MOST_ROUNDS && usual >= MOST_BYTES; round++) {
                usual = allocatedByAStep(pipeline, request);
            }
            assertThat(usual).as("bytes of a step").isLessThan(MOST_BYTES);
        }
    }

    /** What is left are views, some for each operation, of which a UNet has hundreds; no buffers, which would grow. */
    @ParameterizedTest
    @ValueSource(strings = {"sd35-medium", "sdxl", "flux-dev", "auraflow", "pixart-sigma"})
    void whatAStepAllocatesDoesNotGrowWithThePicture(String kind) {
        SyntheticModel model = Families.synthetic(kind).tiny(new Vocabularies(IDS, IDS, IDS));
        try (var backend = new CpuBackend(2, Precision.F32);
                var files = new SyntheticFiles(model, model.parts().keySet(), DType.F32, TestData.defaultModel());
                var pipeline = Pipeline.open(files, backend)) {
            var small = pipeline.request("a red circle").toBuilder().size(32, 32).guidance(3).negativePrompt("blue")
                    .resolutionBinning(false).steps(20).build();
            var large = small.toBuilder().size(128, 128).build();
            long grown = Long.MAX_VALUE;
            for (int round = 0; round < MOST_ROUNDS && grown >= MOST_GROWTH; round++) {
                grown = allocatedByAStep(pipeline, large) - allocatedByAStep(pipeline, small);
            }
            assertThat(grown).as("bytes of a step at 128x128 beyond those at 32x32").isLessThan(MOST_GROWTH);
        }
    }

    /** The median of the later steps. */
    private long allocatedByAStep(Pipeline pipeline, GenerationRequest request) {
        List<Long> perStep = new ArrayList<>();
        pipeline.denoise(request, pipeline.encode(request, Progress.NONE), new Progress() {
            private long before = allocated();

            @Override
            public void step(int done, Supplier<float[]> latents) {
                perStep.add(allocated() - before);
                before = allocated();
            }
        });
        List<Long> later = perStep.subList(perStep.size() * 2 / 3, perStep.size()).stream().sorted().toList();
        return later.get(later.size() / 2);
    }
}
