package jdiffusion.model.pipeline;

import java.util.function.Consumer;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.vae.Tiles;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/** The VAE's two stages, pictures to latents and back, on tiles where memory asks for it. */
final class ImageCoder {
    /** Sides of tiles in latent pixels, the largest that fits is taken. Smaller ones differ more from the whole. */
    private static final int[] TILES = {64, 48, 32};

    private final Stages stages;
    private final LatentSpace space;

    ImageCoder(Stages stages, LatentSpace space) {
        this.stages = stages;
        this.space = space;
    }

    /**
     * @param image [3, height, width] of the request, in -1 to 1
     * @return mean and log-variance of its latents, [2, channels, height / factor, width / factor]
     */
    float[] encode(GenerationRequest request, float[] image, Progress progress) {
        StageClock clock = new StageClock(Progress.Stage.ENCODE_IMAGE, 0, progress);
        float[] moments = encode(image, request.height(), request.width(), clock::used);
        clock.stop();
        return moments;
    }

    private float[] encode(float[] image, int height, int width, Consumer<StageMemory> report) {
        return run(new Direction(3, space.factor(), 2 * space.channels(), 1, true), image, 1,
                height / space.factor(), width / space.factor(), report);
    }

    /**
     * @param latents of the denoiser, [images, channels, height / factor, width / factor]
     * @return [images, 3, height, width], about -1 to 1
     */
    float[] decode(GenerationRequest request, float[] latents, Progress progress) {
        StageClock clock = new StageClock(Progress.Stage.DECODE, 0, progress);
        float[] values = decode(space.unscaled(latents, request.mask() != null), request.images(), request.height(),
                request.width(), clock::used);
        clock.stop();
        return values;
    }

    private float[] decode(float[] latents, int images, int height, int width, Consumer<StageMemory> report) {
        return run(new Direction(space.channels(), 1, 3, space.factor(), false), latents, images,
                height / space.factor(), width / space.factor(), report);
    }

    /**
     * One half of the autoencoder: channels that go in and come out, and pixels for each latent pixel, each way.
     */
    private record Direction(int in, int inScale, int out, int outScale, boolean encodes) {
        /** One tile of [in, height, width]. */
        float[] apply(Stage<Vae> stage, float[] values, int height, int width) {
            Workspace workspace = stage.compute().workspace();
            try (var _ = workspace.scope()) {
                Tensor tensor = workspace.f32(1, in, height, width);
                stage.compute().backend().upload(values, tensor);
                return stage.download(encodes ? stage.model().encode(stage.compute(), tensor)
                        : stage.model().decode(stage.compute(), tensor));
            }
        }
    }

    /**
     * @param height of the latents
     * @param width  of the latents
     */
    private float[] run(Direction half, float[] values, int images, int height, int width,
                        Consumer<StageMemory> report) {
        Tiles tiles = tiles(half, height, width);
        int size = values.length / images;
        int outSize = Math.multiplyExact(half.out * half.outScale * half.outScale, height * width);
        float[] out = new float[Math.multiplyExact(images, outSize)];
        return stages.run(Component.VAE, Vae::load, (Stage<Vae> stage) -> {
            if (stage.counting()) {
                count(half, tiles, stage);
                return out;
            }
            for (int i = 0; i < images; i++) {
                for (int tile = 0; tile < tiles.count(); tile++) {
                    float[] cut = tiles.cut(tile, values, i * size, half.in, half.inScale);
                    float[] done = half.apply(stage, cut, tiles.height() * half.inScale,
                            tiles.width() * half.inScale);
                    tiles.add(tile, done, out, i * outSize, half.out, half.outScale);
                }
            }
            return out;
        }, memory -> report.accept(memory.ofVae(half.encodes ? "encode" : "decode",
                tiles.count() == 1 ? 0 : Math.max(tiles.height(), tiles.width()) * space.factor())));
    }

    /** All tiles take the same memory. */
    private static float[] count(Direction half, Tiles tiles, Stage<Vae> stage) {
        int height = tiles.height() * half.inScale;
        int width = tiles.width() * half.inScale;
        return half.apply(stage, new float[half.in * height * width], height, width);
    }

    private Tiles tiles(Direction half, int height, int width) {
        MemoryPolicy policy = stages.policy();
        boolean whole = policy.tiling() != MemoryPolicy.Tiling.ON;
        Tiles tiles = whole ? Tiles.whole(height, width)
                : Tiles.of(height, width, policy.tile() > 0 ? policy.tile() : TILES[0]);
        if (policy.tiling() == MemoryPolicy.Tiling.OFF || policy.tile() > 0 && !whole) {
            return tiles;
        }
        int[] sides = policy.tile() > 0 ? new int[] {policy.tile()} : TILES;
        for (int i = 0; i < sides.length && !fits(half, tiles); i++) {
            tiles = Tiles.of(height, width, sides[i]);
        }
        return tiles;
    }

    private boolean fits(Direction half, Tiles tiles) {
        return stages.fits(Component.VAE, Vae::load, (Stage<Vae> stage) -> count(half, tiles, stage));
    }
}
