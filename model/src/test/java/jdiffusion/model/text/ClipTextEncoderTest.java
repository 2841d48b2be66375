package jdiffusion.model.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.HashMap;
import java.util.Map;
import jdiffusion.kernels.cpu.CpuBackend;
import jdiffusion.model.Compute;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.synthetic.ClipSizes;
import jdiffusion.model.synthetic.SyntheticTensors;
import jdiffusion.model.synthetic.TensorList;
import jdiffusion.model.text.ClipTextEncoder.Pooled;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** Which hidden state is read, and what is made of the last one. */
class ClipTextEncoderTest {
    private static final CpuBackend BACKEND = new CpuBackend();
    private static final int DEPTH = 4;
    private static final int WIDTH = 32;
    private static final int[][] IDS = {{48, 3, 9, 49, 49}, {48, 7, 49, 49, 49}};
    private static final int END = 3;

    @AfterAll
    static void close() {
        BACKEND.close();
    }

    private static ClipTextEncoder encoder(int projection) {
        ClipSizes sizes = new ClipSizes(50, WIDTH, 2, 64, DEPTH, projection, "quick_gelu");
        TensorList list = new TensorList("text_encoder", 5, DType.F32);
        sizes.tensors(list);
        var tensors = new SyntheticTensors(list.tensors(), ConfigFile.of("sizes", sizes.config()));
        return ClipTextEncoder.load(Weights.of(tensors, Placement.onHost()), tensors.config());
    }

    /** What one run computes and gives. */
    private record Run(Map<String, float[]> seen, float[] hidden, float[] pooled) {
    }

    private static Run run(ClipTextEncoder encoder, int[] skipped, Pooled pooled) {
        Map<String, float[]> seen = new HashMap<>();
        try (Workspace workspace = BACKEND.newWorkspace(1 << 24)) {
            Trace trace = (name, module, tensor, heads) -> {
                if (!name.startsWith("block.")) {
                    seen.put(name, BACKEND.download(tensor));
                }
                return false;
            };
            var output = encoder.apply(new Compute(BACKEND, workspace, trace), IDS, new float[0][], skipped, pooled);
            return new Run(seen, BACKEND.download(output.hidden()),
                    output.pooled() == null ? null : BACKEND.download(output.pooled()));
        }
    }

    @Test
    void eachRowsHiddenStateIsItsOwn() {
        ClipTextEncoder encoder = encoder(24);
        Run usual = run(encoder, new int[2], Pooled.PROJECTED);
        assertThat(usual.hidden).containsExactly(usual.seen.get("hidden_states." + (DEPTH - 1)));
        for (Pooled pooled : Pooled.values()) {
            Run skipping = run(encoder, new int[] {0, 2}, pooled);
            int half = usual.hidden.length / 2;
            for (int i = 0; i < 2 * half; i++) {
                float[] state = usual.seen.get("hidden_states." + (i < half ? DEPTH - 1 : DEPTH - 3));
                assertThat(skipping.hidden[i]).isEqualTo(state[i]);
            }
        }
        assertThat(run(encoder, new int[] {DEPTH - 1, DEPTH - 1}, Pooled.NONE).hidden)
                .containsExactly(usual.seen.get("hidden_states.0"));
    }

    @Test
    void layersThatNothingReadsDoNotRun() {
        ClipTextEncoder encoder = encoder(0);
        assertThat(run(encoder, new int[2], Pooled.NONE).seen)
                .containsOnlyKeys("hidden_states.0", "hidden_states.1", "hidden_states.2", "hidden_states.3");
        assertThat(run(encoder, new int[] {1, 2}, Pooled.NONE).seen)
                .containsOnlyKeys("hidden_states.0", "hidden_states.1", "hidden_states.2");
        assertThat(run(encoder, new int[] {1, 2}, Pooled.PLAIN).seen).containsKeys("hidden_states.4",
                "last_hidden_state", "pooled");
    }

    @Test
    void withoutProjectionTheStateAtTheEndIsPooled() {
        Run run = run(encoder(0), new int[2], Pooled.PLAIN);
        float[] last = run.seen.get("last_hidden_state");
        assertThat(run.pooled).hasSize(2 * WIDTH);
        for (int i = 0; i < WIDTH; i++) {
            assertThat(run.pooled[i]).isEqualTo(last[END * WIDTH + i]);
            assertThat(run.pooled[WIDTH + i]).isEqualTo(last[(IDS[0].length + 2) * WIDTH + i]);
        }
    }

    @Test
    void moreLayersThanThereAreCannotBeLeftOut() {
        ClipTextEncoder encoder = encoder(24);
        int[] skipped = {0, DEPTH};
        assertThatThrownBy(() -> run(encoder, skipped, Pooled.NONE)).isInstanceOf(InputException.class)
                .hasMessage("clip skip 4: this CLIP has 4 layers, so 0 to 3 can be left out beyond the usual one"
                        + " (--clip-skip 2 to 5)");
    }
}
