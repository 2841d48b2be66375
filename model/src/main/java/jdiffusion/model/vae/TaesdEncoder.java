package jdiffusion.model.vae;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.nn.Conv2d;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weights;
import jdiffusion.tensor.Workspace;

/** Image to latents: per resolution a convolution, from the second on of stride 2, and blocks. */
record TaesdEncoder(List<Level> levels, Conv2d out) {
    /** One resolution, finest first. */
    record Level(Conv2d in, List<TaesdBlock> blocks) {
    }

    /** @param w layers of a sequence, numbered from 0 */
    static TaesdEncoder load(Weights w, ConfigFile config) {
        List<Level> levels = new ArrayList<>();
        int width = 3;
        int layer = 0;
        while (true) {
            int out = VaeConfig.kernels(w, config, layer + ".weight").dim(0);
            Weights conv = w.at(Integer.toString(layer++));
            boolean first = levels.isEmpty();
            if (!first && conv.has("bias")) {
                return new TaesdEncoder(List.copyOf(levels), Conv2d.load(conv, out, width, 3));
            }
            Conv2d in = first ? Conv2d.load(conv, out, width, 3) : Conv2d.withoutBias(conv, out, width, 3);
            width = out;
            List<TaesdBlock> blocks = new ArrayList<>();
            for (Weights at = w.at(Integer.toString(layer)); TaesdBlock.isIn(at);
                    at = w.at(Integer.toString(++layer))) {
                blocks.add(TaesdBlock.load(at, width));
            }
            levels.add(new Level(in, List.copyOf(blocks)));
        }
    }

    /**
     * @param image   [batch, f h, f w, 3] in 0 to 1
     * @param latents [batch, h, w, latentChannels], written
     */
    void apply(Compute compute, Tensor image, Tensor latents) {
        Backend backend = compute.backend();
        Workspace w = compute.workspace();
        try (var _ = w.scope()) {
            Tensor x = image;
            for (int i = 0; i < levels.size(); i++) {
                Level level = levels.get(i);
                try (var _ = backend.scope("encoder.level", i)) {
                    var s = x.shape();
                    int scale = i == 0 ? 1 : 2;
                    Tensor y = w.f32(s.dim(0), s.dim(1) / scale, s.dim(2) / scale, level.in().out());
                    if (i == 0) {
                        level.in().apply(backend, x, Epilogue.STORE, y);
                    } else {
                        level.in().applyStrided(backend, x, y);
                    }
                    for (TaesdBlock block : level.blocks()) {
                        block.apply(compute, y);
                    }
                    x = y;
                }
            }
            out.apply(backend, x, Epilogue.STORE, latents);
        }
    }
}
