package jdiffusion.model.pipeline;

import java.util.function.Consumer;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.stage.Stages;
import jdiffusion.model.vae.Taesd;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.model.vae.Tiles;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * The VAE's two stages, pictures to latents and back, on tiles where memory asks for it; the second may be TAESD's
 * instead.
 */
final class ImageCoder {
    /** Sides of tiles in latent pixels, the largest that fits is taken. Smaller ones differ more from the whole. */
    private static final int[] TILES = {64, 48, 32};

    private final Stages stages;
    private final LatentSpace space;
    private final TaesdFile taesd;

    /** @param taesd decodes in the VAE's place; null for the VAE */
    ImageCoder(Stages stages, LatentSpace space, TaesdFile taesd) {
        this.stages = stages;
        this.space = space;
        this.taesd = taesd;
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
        return run(new Coder<>(null, Vae::load, Vae::encode, "encode"), new Direction(3, space.factor(),
                2 * space.channels(), 1), image, 1, height / space.factor(), width / space.factor(), report);
    }

    /**
     * @param latents of the denoiser, [images, channels, height / factor, width / factor]
     * @return [images, 3, height, width], about -1 to 1
     */
    float[] decode(GenerationRequest request, float[] latents, Progress progress) {
        StageClock clock = new StageClock(Progress.Stage.DECODE, 0, progress);
        float[] values = decode(latents, request.images(), request.height(), request.width(),
                request.mask() != null, clock::used);
        clock.stop();
        return values;
    }

    /** @param inpainted whether the latents were drawn inside a mask */
    float[] decode(float[] latents, int images, int height, int width, boolean inpainted,
                   Consumer<StageMemory> report) {
        Direction direction = new Direction(space.channels(), 1, 3, space.factor());
        int rows = height / space.factor();
        int columns = width / space.factor();
        return taesd != null
                ? run(new Coder<>(new Stages.Other(Component.VAE, "taesd", "TAESD", taesd::open), Taesd::load,
                        Taesd::decode, "decode"), direction, space.pictured(latents, rows * columns), images, rows,
                        columns, report)
                : run(new Coder<>(null, Vae::load, Vae::decode, "decode"), direction,
                        space.unscaled(latents, rows * columns, inpainted), images, rows, columns, report);
    }

    /** One half of an autoencoder on one tile. */
    @FunctionalInterface
    private interface Half<M> {
        Tensor apply(M model, Compute compute, Tensor values);
    }

    /**
     * Whose half it is.
     *
     * @param other null for the model's VAE
     * @param does  what it does, for plans
     */
    private record Coder<M>(Stages.Other other, Stage.Loader<M> loader, Half<M> half, String does) {
        <T> T run(Stages stages, Stage.Work<M, T> work, Consumer<StageMemory> report) {
            return other == null ? stages.run(Component.VAE, loader, work, report)
                    : stages.run(other, loader, work, report);
        }

        <T> boolean fits(Stages stages, Stage.Work<M, T> work) {
            return other == null ? stages.fits(Component.VAE, loader, work) : stages.fits(other, loader, work);
        }

        /** One tile of [in, height, width]. */
        float[] apply(Stage<M> stage, Direction direction, float[] values, int height, int width) {
            Workspace workspace = stage.compute().workspace();
            try (var _ = workspace.scope()) {
                Tensor tensor = workspace.f32(1, direction.in, height, width);
                stage.compute().backend().upload(values, tensor);
                return stage.download(half.apply(stage.model(), stage.compute(), tensor));
            }
        }
    }

    /** Channels that go in and come out, and pixels for each latent pixel, each way. */
    private record Direction(int in, int inScale, int out, int outScale) {
    }

    /**
     * @param height of the latents
     * @param width  of the latents
     */
    private <M> float[] run(Coder<M> coder, Direction half, float[] values, int images, int height, int width,
                            Consumer<StageMemory> report) {
        Tiles tiles = tiles(coder, half, height, width);
        int size = values.length / images;
        int outSize = Math.multiplyExact(half.out * half.outScale * half.outScale, height * width);
        float[] out = new float[Math.multiplyExact(images, outSize)];
        return coder.run(stages, stage -> {
            if (stage.counting()) {
                count(coder, half, tiles, stage);
                return out;
            }
            for (int i = 0; i < images; i++) {
                for (int tile = 0; tile < tiles.count(); tile++) {
                    float[] cut = tiles.cut(tile, values, i * size, half.in, half.inScale);
                    float[] done = coder.apply(stage, half, cut, tiles.height() * half.inScale,
                            tiles.width() * half.inScale);
                    tiles.add(tile, done, out, i * outSize, half.out, half.outScale);
                }
            }
            return out;
        }, memory -> report.accept(memory.ofVae(coder.does(),
                tiles.count() == 1 ? 0 : Math.max(tiles.height(), tiles.width()) * space.factor())));
    }

    /** All tiles take the same memory. */
    private static <M> float[] count(Coder<M> coder, Direction half, Tiles tiles, Stage<M> stage) {
        int height = tiles.height() * half.inScale;
        int width = tiles.width() * half.inScale;
        return coder.apply(stage, half, new float[half.in * height * width], height, width);
    }

    private <M> Tiles tiles(Coder<M> coder, Direction half, int height, int width) {
        MemoryPolicy policy = stages.policy();
        boolean whole = policy.tiling() != MemoryPolicy.Tiling.ON;
        Tiles tiles = whole ? Tiles.whole(height, width)
                : Tiles.of(height, width, policy.tile() > 0 ? policy.tile() : TILES[0]);
        if (policy.tiling() == MemoryPolicy.Tiling.OFF || policy.tile() > 0 && !whole) {
            return tiles;
        }
        int[] sides = policy.tile() > 0 ? new int[] {policy.tile()} : TILES;
        for (int i = 0; i < sides.length && !fits(coder, half, tiles); i++) {
            tiles = Tiles.of(height, width, sides[i]);
        }
        return tiles;
    }

    private <M> boolean fits(Coder<M> coder, Direction half, Tiles tiles) {
        return coder.fits(stages, stage -> count(coder, half, tiles, stage));
    }
}
