package jdiffusion.model.pipeline;

import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
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
 * The two stages of an autoencoder, pictures to latents and back, on tiles where memory asks for it; each may be
 * TAESD's in place of the VAE's.
 */
final class ImageCoder {
    /** Sides of tiles in latent pixels, the largest that fits is taken. Smaller ones differ more from the whole. */
    private static final int[] TILES = {64, 48, 32};

    private final Stages stages;
    private final LatentSpace space;
    private final TaesdUse taesd;

    ImageCoder(Stages stages, LatentSpace space, TaesdUse taesd) {
        this.stages = stages;
        this.space = space;
        this.taesd = taesd;
    }

    /** @param image [3, height, width] of the request, in -1 to 1 */
    Noise.Encoded encode(GenerationRequest request, float[] image, Progress progress) {
        StageClock clock = new StageClock(Progress.Stage.ENCODE_IMAGE, 0, progress);
        Noise.Encoded encoded = encoded(image, run(encoder(request.height(), request.width()), image, 1, clock::used));
        clock.stop();
        return encoded;
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
        return run(decoder(height, width), decoded(latents, images, inpainted), images, report);
    }

    private Noise.Encoded encoded(float[] image, float[] values) {
        return taesd.encoder() == null ? new Noise.Encoded(values, true)
                : new Noise.Encoded(space.ofPictured(values, plane(image.length / 3)), false);
    }

    /** Latents as the decoder wants them. */
    private float[] decoded(float[] latents, int images, boolean inpainted) {
        int plane = latents.length / images / space.channels();
        return taesd.decoder() == null ? space.unscaled(latents, plane, inpainted) : space.pictured(latents, plane);
    }

    private int plane(int pixels) {
        return pixels / space.factor() / space.factor();
    }

    private Way<?> encoder(int height, int width) {
        int rows = height / space.factor();
        int columns = width / space.factor();
        return taesd.encoder() == null
                ? way(new Coder<>(null, Vae::load, Vae::encode, "encode"),
                        new Direction(3, space.factor(), 2 * space.channels(), 1), rows, columns)
                : way(new Coder<>(other(taesd.encoder()), Taesd::load, Taesd::encode, "encode"),
                        new Direction(3, space.factor(), space.channels(), 1), rows, columns);
    }

    private Way<?> decoder(int height, int width) {
        Direction direction = new Direction(space.channels(), 1, 3, space.factor());
        int rows = height / space.factor();
        int columns = width / space.factor();
        return taesd.decoder() == null
                ? way(new Coder<>(null, Vae::load, Vae::decode, "decode"), direction, rows, columns)
                : way(new Coder<>(other(taesd.decoder()), Taesd::load, Taesd::decode, "decode"), direction, rows,
                        columns);
    }

    private static Stages.Other other(TaesdFile file) {
        return new Stages.Other(Component.VAE, "taesd", "TAESD", file::open);
    }

    /** Both stages, set up to stay, for single pictures of one size. */
    Standing stand(int height, int width) {
        Way<?> encoder = encoder(height, width);
        Way<?> decoder = decoder(height, width);
        return (taesd.encoder() == null) == (taesd.decoder() == null) ? shared(encoder, decoder)
                : apart(encoder, decoder);
    }

    @SuppressWarnings("unchecked")
    private <M> Standing shared(Way<M> encoder, Way<?> other) {
        Way<M> decoder = (Way<M>) other;
        Stages.Standing<M> network = encoder.coder.stand(stages, stage -> {
            encoder.count(stage);
            return decoder.count(stage);
        });
        return new Standing(image -> network.run(stage -> encoder.run(stage, image, 1)),
                latents -> network.run(stage -> decoder.run(stage, latents, 1)), List.of(network));
    }

    private <E, D> Standing apart(Way<E> encoder, Way<D> decoder) {
        Stages.Standing<E> first = encoder.coder.stand(stages, encoder::count);
        try {
            Stages.Standing<D> second = decoder.coder.stand(stages, decoder::count);
            return new Standing(image -> first.run(stage -> encoder.run(stage, image, 1)),
                    latents -> second.run(stage -> decoder.run(stage, latents, 1)), List.of(first, second));
        } catch (RuntimeException | Error e) {
            first.close();
            throw e;
        }
    }

    /** Encoder and decoder that stay. */
    final class Standing implements AutoCloseable {
        private final UnaryOperator<float[]> encoder;
        private final UnaryOperator<float[]> decoder;
        private final List<Stages.Standing<?>> networks;

        private Standing(UnaryOperator<float[]> encoder, UnaryOperator<float[]> decoder,
                         List<Stages.Standing<?>> networks) {
            this.encoder = encoder;
            this.decoder = decoder;
            this.networks = networks;
        }

        /** @param image [3, height, width] in -1 to 1 */
        Noise.Encoded encode(float[] image) {
            return encoded(image, encoder.apply(image));
        }

        /**
         * @param latents   of the denoiser, [channels, height / factor, width / factor]
         * @param inpainted whether they were drawn inside a mask
         */
        float[] decode(float[] latents, boolean inpainted) {
            return decoder.apply(decoded(latents, 1, inpainted));
        }

        long bytes() {
            return networks.stream().mapToLong(Stages.Standing::bytes).sum();
        }

        @Override
        public void close() {
            networks.forEach(Stages.Standing::close);
        }
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

        Stages.Standing<M> stand(Stages stages, Stage.Work<M, ?> work) {
            return other == null ? stages.stand(Component.VAE, loader, work) : stages.stand(other, loader, work);
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

    /** One half on the tiles of pictures of one size. */
    private record Way<M>(Coder<M> coder, Direction half, Tiles tiles) {
        /** All tiles take the same memory. */
        float[] count(Stage<M> stage) {
            int height = tiles.height() * half.inScale;
            int width = tiles.width() * half.inScale;
            return coder.apply(stage, half, new float[half.in * height * width], height, width);
        }

        float[] run(Stage<M> stage, float[] values, int images) {
            int size = values.length / images;
            int outSize = Math.toIntExact((long) size / half.in / half.inScale / half.inScale
                    * half.out * half.outScale * half.outScale);
            float[] out = new float[Math.multiplyExact(images, outSize)];
            if (stage.counting()) {
                count(stage);
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
        }
    }

    private <M> float[] run(Way<M> way, float[] values, int images, Consumer<StageMemory> report) {
        Tiles tiles = way.tiles;
        return way.coder.run(stages, stage -> way.run(stage, values, images),
                memory -> report.accept(memory.ofVae(way.coder.does(),
                        tiles.count() == 1 ? 0 : Math.max(tiles.height(), tiles.width()) * space.factor())));
    }

    /**
     * @param height of the latents
     * @param width  of the latents
     */
    private <M> Way<M> way(Coder<M> coder, Direction half, int height, int width) {
        MemoryPolicy policy = stages.policy();
        boolean whole = policy.tiling() != MemoryPolicy.Tiling.ON;
        Way<M> way = new Way<>(coder, half, whole ? Tiles.whole(height, width)
                : Tiles.of(height, width, policy.tile() > 0 ? policy.tile() : TILES[0]));
        if (policy.tiling() == MemoryPolicy.Tiling.OFF || policy.tile() > 0 && !whole) {
            return way;
        }
        int[] sides = policy.tile() > 0 ? new int[] {policy.tile()} : TILES;
        for (int i = 0; i < sides.length && !coder.fits(stages, way::count); i++) {
            way = new Way<>(coder, half, Tiles.of(height, width, sides[i]));
        }
        return way;
    }
}
