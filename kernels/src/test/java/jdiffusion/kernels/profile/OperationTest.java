package jdiffusion.kernels.profile;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.TestTensors;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import org.junit.jupiter.api.Test;

/** FLOPs and bytes of single operations, counted by hand. */
class OperationTest {
    private static Tensor f32(int... dims) {
        return TestTensors.random(1, DType.F32, 1, dims);
    }

    private static Weight bf16(int rows, int cols) {
        return Weight.of(TestTensors.random(2, DType.BF16, 1, rows, cols));
    }

    @Test
    void linearLayersThatShareAnInputReadItOnce() {
        Tensor x = f32(2, 7, 3);
        Operation q = Operation.linear(List.of(
                new LinearCall(x, bf16(5, 3), f32(5), Epilogue.STORE, f32(2, 7, 5)),
                new LinearCall(x, bf16(5, 3), null, Epilogue.STORE, f32(2, 7, 5)),
                new LinearCall(f32(4, 11), bf16(2, 11), null, Epilogue.gatedAdd(f32(2, 2)), f32(4, 2))));
        assertThat(q.kind()).isEqualTo("linear");
        assertThat(q.isProduct()).isTrue();
        assertThat(q.shape()).isEqualTo("2 of 14x3x5, 4x11x2");
        assertThat(q.flops()).isEqualTo(2 * (2 * 14 * 3 * 5 + 4 * 11 * 2));
        int first = 14 * 3 * 4 + 2 * (15 * 2 + 14 * 5 * 4) + 5 * 4;
        int second = 4 * 11 * 4 + 2 * 11 * 2 + 2 * 4 * 2 * 4 + 2 * 2 * 4;
        assertThat(q.bytes()).isEqualTo(first + second);
    }

    @Test
    void aMultipliedOutputIsReadAndWritten() {
        Operation gate = Operation.linear(List.of(new LinearCall(f32(6, 4), bf16(3, 4), null,
                Epilogue.multiply(Activation.SILU), f32(6, 3))));
        assertThat(gate.bytes()).isEqualTo(6 * 4 * 4 + 3 * 4 * 2 + 2 * 6 * 3 * 4);
    }

    /** Of a gated layer out has half the columns, and is written once. */
    @Test
    void aGatedLayerIsOfTwiceTheColumns() {
        Operation gated = Operation.gatedLinear(f32(6, 4), bf16(10, 4), f32(10), f32(6, 5));
        assertThat(gated.shape()).isEqualTo("6x4x10");
        assertThat(gated.isProduct()).isTrue();
        assertThat(gated.flops()).isEqualTo(2 * 6 * 4 * 10);
        assertThat(gated.bytes()).isEqualTo(6 * 4 * 4 + 10 * 4 * 2 + 10 * 4 + 6 * 5 * 4);
    }

    @Test
    void attentionOfStreamsOfWhichOneAsksNothing() {
        Tensor image = f32(2, 5, 6);
        Tensor text = f32(2, 3, 6);
        AttentionShape shape = AttentionShape.of(2, 3, 2);
        Operation all = Operation.attention(shape, List.of(AttentionStream.of(image, image, image, image),
                AttentionStream.of(text, text, text, text)), null);
        assertThat(all.shape()).isEqualTo("[2, 3, 8, 2]");
        assertThat(all.flops()).isEqualTo(2L * 2 * (2 * 3) * 8 * 8 * 2);
        assertThat(all.bytes()).isEqualTo(4 * 4 * (2 * 5 * 6 + 2 * 3 * 6));
        Operation last = Operation.attention(shape, List.of(AttentionStream.of(image, image, image, image),
                AttentionStream.asked(text, text).withNorms(null, f32(2))), f32(3, 7));
        assertThat(last.shape()).isEqualTo("[2, 3, 5 on 8, 2]");
        assertThat(last.flops()).isEqualTo(2L * 2 * (2 * 3) * 5 * 8 * 2);
        assertThat(last.bytes()).isEqualTo(4 * (4 * 60 + 2 * 36 + 2 + 21));
    }

    @Test
    void crossAttentionMeetsTheKeysOfTheTextAlone() {
        Tensor image = f32(2, 5, 6);
        Tensor text = f32(2, 3, 6);
        Operation cross = Operation.attention(AttentionShape.of(2, 3, 2),
                List.of(AttentionStream.asking(image, image), AttentionStream.asked(text, text)), null);
        assertThat(cross.shape()).isEqualTo("[2, 3, 5 on 3, 2]");
        assertThat(cross.flops()).isEqualTo(2L * 2 * (2 * 3) * 5 * 3 * 2);
        assertThat(cross.bytes()).isEqualTo(4 * (2 * 60 + 2 * 36));
    }

    /** Where a row is cut off, the image is doubled first, and all nine taps count. */
    @Test
    void convolutionOfADoubledImage() {
        Tensor x = f32(1, 3, 2, 4);
        Tensor weight = TestTensors.random(1, DType.BF16, 1, 5, 4, 3, 3);
        assertThat(Operation.upsampledConv2d(x, weight, null, f32(1, 6, 4, 5)).flops())
                .isEqualTo(2 * 6 * 4 * 5 * 4 * 4);
        assertThat(Operation.upsampledConv2d(x, weight, null, f32(1, 5, 4, 5)).flops())
                .isEqualTo(2 * 5 * 4 * 5 * 4 * 9);
    }

    @Test
    void causalAttentionLeavesOutLaterKeys() {
        Tensor x = f32(1, 9, 4);
        long pairs = 0;
        for (int query = 0; query < 9; query++) {
            pairs += query + 1;
        }
        assertThat(Operation.attention(AttentionShape.of(1, 2, 2).withCausal(),
                List.of(AttentionStream.of(x, x, x, x)), null).flops()).isEqualTo(4 * 2 * 2 * pairs);
    }

    @Test
    void convolutionWithStride() {
        Conv2dShape shape = new Conv2dShape(1, 7, 5, 3, 4, 3, 2, 0, 1);
        Operation conv = Operation.conv2d(shape, f32(1, 7, 5, 3), TestTensors.random(1, DType.BF16, 1, 4, 3, 3, 3),
                f32(4), Epilogue.STORE, f32(1, 3, 2, 4));
        assertThat(conv.shape()).isEqualTo("[1, 7, 5, 3] 3x3 by 2 to 4");
        assertThat(conv.flops()).isEqualTo(2 * (3 * 2) * 4 * 3 * 9);
        assertThat(conv.bytes()).isEqualTo(4 * 7 * 5 * 3 + 2 * 4 * 3 * 9 + 4 * 4 + 4 * 3 * 2 * 4);
    }
}
