package jdiffusion.model.verify;

import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.Compute;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.reference.ReferenceKind;
import jdiffusion.model.stage.Stage;
import jdiffusion.model.text.ClipTextEncoder;
import jdiffusion.model.text.T5Encoder;
import jdiffusion.model.vae.LatentDecoder;
import jdiffusion.model.vae.Taesd;
import jdiffusion.model.vae.TaesdConfig;
import jdiffusion.model.vae.TaesdFile;
import jdiffusion.model.vae.Vae;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** References of the networks that families share. */
final class SharedReferences {
    static final List<ReferenceKind<?>> KINDS = List.of(
            new ReferenceKind<>(List.of("CLIPTextModelWithProjection", "CLIPTextModel", "clip_text_model"),
                    Component.CLIP_L,
                    ClipTextEncoder::load, SharedReferences::clip),
            new ReferenceKind<>(List.of("T5EncoderModel", "UMT5EncoderModel", "t5", "umt5"), Component.T5,
                    T5Encoder::load, SharedReferences::t5),
            new ReferenceKind<>(List.of("AutoencoderKL"), Component.VAE, Vae::load, SharedReferences::vae),
            new ReferenceKind<>(List.of(TaesdConfig.CLASS), Component.VAE, Taesd::load, SharedReferences::taesd,
                    SharedReferences::taesdLayouts));

    private SharedReferences() {
    }

    private static void clip(Path path, Expected expected, Stage<ClipTextEncoder> stage) {
        int[][] ids = expected.indices("input_ids");
        checkIds(path, ids, stage.model().config().vocabulary());
        stage.model().apply(expected.traced(stage.compute()), ids);
    }

    private static void t5(Path path, Expected expected, Stage<T5Encoder> stage) {
        int[][] ids = expected.indices("input_ids");
        checkIds(path, ids, stage.model().config().vocabulary());
        int[] counts = expected.has("attention_mask")
                ? expected.counts("attention_mask", ids.length, ids[0].length) : null;
        stage.model().apply(expected.traced(stage.compute()), ids, counts);
    }

    private static void vae(Path path, Expected expected, Stage<Vae> stage) {
        Compute compute = stage.compute();
        Vae vae = stage.model();
        if (expected.has("image")) {
            Tensor moments = vae.encode(compute, expected.upload(compute, "image", 4));
            int channels = vae.config().latentChannels();
            int batch = moments.shape().dim(0);
            int plane = moments.shape().dim(2) * moments.shape().dim(3);
            float[] all = compute.backend().download(moments);
            float[] mean = new float[all.length / 2];
            float[] logvar = new float[all.length / 2];
            for (int b = 0; b < batch; b++) {
                int half = channels * plane;
                System.arraycopy(all, 2 * b * half, mean, b * half, half);
                System.arraycopy(all, (2 * b + 1) * half, logvar, b * half, half);
            }
            for (int i = 0; i < logvar.length; i++) {
                logvar[i] = Math.clamp(logvar[i], Vae.LOGVAR_MIN, Vae.LOGVAR_MAX);
            }
            Shape shape = Shape.of(batch, channels, moments.shape().dim(2), moments.shape().dim(3));
            expected.compare("mean", shape, mean);
            expected.compare("logvar", shape, logvar);
        }
        decoded(path, expected, compute, vae, vae.config().latentChannels());
    }

    private static void taesd(Path path, Expected expected, Stage<Taesd> stage) {
        Compute compute = stage.compute();
        Taesd taesd = stage.model();
        if (expected.has("image")) {
            Tensor latents = taesd.encode(compute, expected.upload(compute, "image", 4));
            expected.compare("mean", latents.shape(), compute.backend().download(latents));
        }
        decoded(path, expected, compute, taesd, taesd.config().latentChannels());
    }

    private static List<ReferenceKind.Layout> taesdLayouts(Path folder) {
        List<TaesdFile> files = TaesdFile.all(folder);
        return (files.isEmpty() ? List.of(TaesdFile.of(folder)) : files).stream()
                .map(file -> new ReferenceKind.Layout(file.given().toString(), file::open)).toList();
    }

    private static void decoded(Path path, Expected expected, Compute compute, LatentDecoder decoder, int channels) {
        if (expected.has("latents")) {
            Tensor latents = expected.upload(compute, "latents", 4);
            if (latents.shape().dim(1) != channels) {
                throw new InputException(path + ": latents " + latents.shape() + " do not fit a VAE of " + channels
                        + " channels");
            }
            Tensor image = decoder.decode(compute, latents);
            expected.compare("decoded", image.shape(), compute.backend().download(image));
        }
    }

    private static void checkIds(Path path, int[][] ids, int vocabulary) {
        for (int[] row : ids) {
            for (int id : row) {
                if (id < 0 || id >= vocabulary) {
                    throw new InputException(path + ": token id " + id + " is outside the vocabulary of "
                            + vocabulary);
                }
            }
        }
    }
}
