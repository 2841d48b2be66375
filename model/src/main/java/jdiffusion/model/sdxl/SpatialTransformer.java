package jdiffusion.model.sdxl;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.model.Compute;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Trace;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.GroupNorm;
import jdiffusion.model.nn.Linear;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.WeightBlocks;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/**
 * A transformer over the pixels of one resolution: x + out(blocks(in(norm(x)))).
 *
 * @param stack of its blocks in the checkpoint
 * @param first of its blocks among all of the UNet, in the order in which they run
 * @param depth how many there are
 */
record SpatialTransformer(String stack, GroupNorm norm, Linear in, int first, int depth, Linear out, int heads) {
    static SpatialTransformer load(Weights w, String name, UnetConfig c, int width, int first, int depth,
                                   int heads) {
        return new SpatialTransformer(name + ".transformer_blocks", GroupNorm.load(w.at("norm"), width, c.groups(), UnetConfig.TRANSFORMER_EPS),
                Linear.load(w.at("proj_in"), width, width), first, depth, Linear.load(w.at("proj_out"), width, width),
                heads);
    }

    /** What sees a block, numbered among all of the UNet. */
    Trace at(Compute compute, int block) {
        return compute.trace().at("block", block, stack, block - first);
    }

    int width() {
        return in.weight().rows();
    }

    /**
     * Updates x [batch, h, w, width] in place.
     *
     * @param blocks of the whole UNet
     * @param text   what each of them made of the text
     * @param attending how they attend
     */
    void apply(Compute compute, WeightBlocks<TransformerBlock> blocks, List<TransformerBlock.Text> text,
               Attending attending, Tensor x) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        var s = x.shape();
        int batch = s.dim(0);
        int pixels = s.dim(1) * s.dim(2);
        int width = s.dim(3);
        try (var _ = w.scope()) {
            Tensor stream = w.f32(batch, pixels, width);
            TransformerBlock.Buffers buffers = TransformerBlock.Buffers.in(w, batch, pixels, width);
            norm.apply(backend, x, Activation.NONE, buffers.normed().reshape(s.dims()));
            in.apply(backend, buffers.normed(), stream); // [batch, pixels, width]
            AttentionShape shape = AttentionShape.of(batch, heads, width / heads);
            blocks.run(first, first + depth, (block, i) -> {
                Trace trace = at(compute, i);
                for (int n = trace.passes(); n > 0; n--) {
                    trace.see("image.in", "(input)", stream);
                    try (var _ = backend.scope("transformer_blocks", i - first)) {
                        block.apply(backend, trace, shape, text.get(i), buffers, stream,
                                self -> attending.run(backend, trace, AttentionSite.SELF, i, shape,
                                        List.of(self), s.dim(2)));
                    }
                    trace.see("image", "", stream);
                }
            });
            out.apply(backend, stream, Epilogue.ADD, x.reshape(batch, pixels, width));
        }
    }
}
