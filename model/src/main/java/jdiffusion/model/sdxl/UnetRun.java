package jdiffusion.model.sdxl;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.DenoiserRun;
import jdiffusion.model.family.DenoiserSetup;
import jdiffusion.model.nn.Attending;
import jdiffusion.model.nn.StepModulations;
import jdiffusion.model.nn.StepModulations.Parts;
import jdiffusion.model.nn.Turns;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * A UNet set up for one size of latents and one batch. What depends on the text alone, keys and values of all
 * attentions to it, is computed once.
 */
final class UnetRun implements DenoiserRun {
    private final Unet unet;
    private final Compute compute;
    private final StepModulations steps;
    private final List<TransformerBlock.Text> text = new ArrayList<>();
    private final Tensor read;
    private final List<Tensor> skips = new ArrayList<>();
    private final Turns turns;
    private final Tensor predicted;
    private Attending attending = Attending.PLAIN;

    /**
     * @param height of the latents
     * @param width  of the latents
     * @param tokens of the text
     * @param times  see {@link StepModulations}
     */
    UnetRun(Unet unet, Compute compute, int batch, int height, int width, int tokens, float[] times) {
        this.unet = unet;
        this.compute = compute;
        UnetConfig c = unet.config();
        Workspace w = compute.workspace();
        steps = new StepModulations(unet.conditioning(), compute.backend(), w, c.timeWidth(), batch, times,
                unet.resnets().stream().map(resnet -> Parts.of(resnet.out(), 1)).toList(), StepModulations.MOST_BYTES);
        read = w.f32(batch, height, width, c.inChannels());
        predicted = w.f32(batch, height, width, c.outChannels());
        skips(w, batch, height, width);
        turns = Turns.in(w, wayUp());
        for (SpatialTransformer transformer : unet.transformers()) {
            for (int i = 0; i < transformer.depth(); i++) {
                text.add(TransformerBlock.Text.in(w, batch, tokens, transformer.width()));
            }
        }
    }

    /** One for a request; what comes of the text is computed here. */
    static UnetRun start(Unet unet, Compute compute, DenoiserSetup setup) {
        UnetConfig c = unet.config();
        int tokens = setup.tokens();
        UnetRun run = new UnetRun(unet, compute, setup.batch(), setup.height(), setup.width(), tokens, setup.times());
        run.attending = Attending.of(setup.change());
        Workspace w = compute.workspace();
        try (var _ = w.scope()) {
            Tensor context = w.operand(setup.batch(), tokens, c.contextDim());
            Tensor added = w.operand(setup.batch(), c.addedDim());
            for (int i = 0; i < setup.batch(); i++) {
                Conditioning entry = setup.entries().get(i);
                compute.backend().upload(entry.context().toArray(), context.at(i));
                compute.backend().upload(entry.get(SizeEmbedding.ADDED).toArray(), added.at(i));
            }
            run.setText(context, added);
        }
        return run;
    }

    /** Places for what the way down leaves for the way up. */
    private void skips(Workspace w, int batch, int height, int width) {
        int h = height;
        int v = width;
        skips.add(w.f32(batch, h, v, unet.config().channels().getFirst()));
        for (Unet.Level level : unet.down()) {
            for (UnetResnet resnet : level.resnets()) {
                skips.add(w.f32(batch, h, v, resnet.out()));
            }
            if (level.resize() != null) {
                h = Math.ceilDiv(h, 2);
                v = Math.ceilDiv(v, 2);
                skips.add(w.f32(batch, h, v, level.resize().out()));
            }
        }
    }

    /** Shapes of what the middle and the way up give, in order. */
    private List<Shape> wayUp() {
        List<Shape> shapes = new ArrayList<>();
        shapes.add(skips.getLast().shape());
        int next = skips.size();
        for (Unet.Level level : unet.up()) {
            for (UnetResnet resnet : level.resnets()) {
                Shape s = skips.get(--next).shape();
                shapes.add(Shape.of(s.dim(0), s.dim(1), s.dim(2), resnet.out()));
            }
            if (level.resize() != null) {
                Shape s = skips.get(next - 1).shape();
                shapes.add(Shape.of(s.dim(0), s.dim(1), s.dim(2), level.resize().out()));
            }
        }
        return shapes;
    }

    /**
     * Sets the text of all later calls.
     *
     * @param context [batch, tokens, contextDim]
     * @param added   [batch, addedDim] pooled text and embedded sizes
     */
    void setText(Tensor context, Tensor added) {
        Backend backend = compute.backend();
        unet.blocks().run(0, unet.blocks().size(), (block, i) -> block.readText(backend,
                unet.transformer(i).at(compute, i), context, text.get(i), unet.transformer(i).heads()));
        steps.setText(added);
    }

    @Override
    public void predict(Tensor latents, float time, Tensor out) {
        steps.select(time);
        evaluate(latents, out);
    }

    @Override
    public void predict(Tensor latents, float[] times, Tensor out) {
        steps.select(times);
        evaluate(latents, out);
    }

    private void evaluate(Tensor latents, Tensor out) {
        Backend backend = compute.backend();
        compute.trace().see("add_embedding", "add_embedding", steps.text());
        steps.show(compute.trace(), "time_embedding");
        backend.channelsLast(latents, read); // [batch, h, w, inChannels]
        Tensor x = skips.getFirst();
        unet.in().apply(backend, read, Epilogue.STORE, x);
        compute.seeImage("conv_in", "conv_in", x);
        x = down(x);
        x = up(middle(x));
        unet.out().applyNormed(compute, unet.norm(), x, Epilogue.STORE, predicted);
        backend.channelsFirst(predicted, out);
    }

    private Tensor down(Tensor first) {
        Tensor x = first;
        int next = 1;
        for (int i = 0; i < unet.down().size(); i++) {
            Unet.Level level = unet.down().get(i);
            try (var _ = compute.backend().scope("down_blocks", i)) {
                for (int j = 0; j < level.resnets().size(); j++) {
                    Tensor y = skips.get(next++);
                    level.resnets().get(j).apply(compute, steps, x, y);
                    see("down", "down_blocks", i, "resnet", "resnets", j, y);
                    if (!level.transformers().isEmpty()) {
                        level.transformers().get(j).apply(compute, unet.blocks(), text, attending, y);
                        see("down", "down_blocks", i, "attention", "attentions", j, y);
                    }
                    x = y;
                }
                if (level.resize() != null) {
                    Tensor y = skips.get(next++);
                    level.resize().applyStrided(compute.backend(), x, y);
                    x = y;
                }
                see("down", "down_blocks", i, x);
            }
        }
        return x;
    }

    /** Reads what the way down gave, which the way up needs once more. */
    private Tensor middle(Tensor x) {
        Unet.Middle middle = unet.middle();
        Tensor y = turns.output(0);
        try (var _ = compute.backend().scope("mid_block")) {
            middle.first().apply(compute, steps, x, y);
            middle.transformer().apply(compute, unet.blocks(), text, attending, y);
            middle.second().apply(compute, steps, y, y);
        }
        compute.seeImage("mid", "mid_block", y);
        return y;
    }

    private Tensor up(Tensor middle) {
        Tensor x = middle;
        int skip = skips.size();
        int next = 1;
        for (int i = 0; i < unet.up().size(); i++) {
            Unet.Level level = unet.up().get(i);
            try (var _ = compute.backend().scope("up_blocks", i)) {
                for (int j = 0; j < level.resnets().size(); j++) {
                    Tensor y = turns.output(next++);
                    joined(level.resnets().get(j), x, skips.get(--skip), y);
                    see("up", "up_blocks", i, "resnet", "resnets", j, y);
                    if (!level.transformers().isEmpty()) {
                        level.transformers().get(j).apply(compute, unet.blocks(), text, attending, y);
                        see("up", "up_blocks", i, "attention", "attentions", j, y);
                    }
                    x = y;
                }
                if (level.resize() != null) {
                    // To the size of the skip that comes next, which may be one less than double.
                    Tensor y = turns.output(next++);
                    compute.backend().upsampledConv2d(x, level.resize().weight(), level.resize().bias(), y,
                            compute.workspace());
                    x = y;
                }
                see("up", "up_blocks", i, x);
            }
        }
        return x;
    }

    /** A residual block on x beside what the way down left. */
    private void joined(UnetResnet resnet, Tensor x, Tensor skip, Tensor out) {
        Workspace w = compute.workspace();
        Shape s = x.shape();
        try (var _ = w.scope()) {
            Tensor both = w.f32(s.dim(0), s.dim(1), s.dim(2), s.dim(3) + skip.shape().dim(3));
            compute.backend().joinChannels(x, skip, both);
            resnet.apply(compute, steps, both, out);
        }
    }

    /** Shows what a level gives; names are made only where somebody looks. */
    private void see(String level, String module, int i, Tensor image) {
        if (compute.traced()) {
            compute.seeImage(level + "." + i, module + "." + i, image);
        }
    }

    /** The same of a part of a level. */
    private void see(String level, String module, int i, String part, String modules, int j, Tensor image) {
        if (compute.traced()) {
            compute.seeImage(level + "." + i + "." + part + "." + j, module + "." + i + "." + modules + "." + j, image);
        }
    }
}
