package jdiffusion.model.verify;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.tokenizer.Tokens;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** Recomputes a whole request and compares tokens, embeddings, noise levels, every step and the picture. */
final class PipelineVerifier {
    /** Steps amplify differences of rounding: latents may be off by so many times what one network's output may. */
    private static final double LATENTS_FACTOR = 10;

    private final Backend backend;
    private final Path model;
    private final ModelSources sources;
    private final Path defaultModel;

    PipelineVerifier(Backend backend, Path model, ModelSources sources, Path defaultModel) {
        this.backend = backend;
        this.model = model;
        this.sources = sources;
        this.defaultModel = defaultModel;
    }

    void verify(Path path, Expected expected) {
        ConfigFile file = ConfigFile.read(path.resolve("request.json"));
        Pipeline pipeline = Pipeline.open(Families.open(model(path, file), sources), backend);
        GenerationRequest request = request(path, file, pipeline);
        pipeline.check(request);
        expected.compare("sigmas", Shape.of(pipeline.sigmas(request).toArray().length),
                pipeline.sigmas(request).toArray());
        compareText(pipeline, request, expected);
        List<Conditioning> conditionings = pipeline.encode(request, Progress.NONE);
        LatentSpace space = pipeline.latents();
        Shape latentShape = Shape.of(request.images(), space.channels(), request.height() / space.factor(),
                request.width() / space.factor());
        float[] latents = pipeline.denoise(request, conditionings, new Progress() {
            @Override
            public void step(int done, Supplier<float[]> now) {
                expected.compareWithin("latents." + (done - 1), latentShape, now.get(), LATENTS_FACTOR);
            }
        });
        float[] image = pipeline.decodeValues(request, latents, Progress.NONE);
        for (int i = 0; i < image.length; i++) {
            image[i] = Math.clamp(image[i] / 2 + 0.5f, 0, 1);
        }
        expected.comparePicture("image", Shape.of(request.images(), 3, request.height(), request.width()), image);
    }

    /**
     * The model given for all, or the one of the name that the request gives, in a folder above; {@code dense} stands
     * for the folder {@code diffusers} of unquantised weights.
     */
    private Path model(Path path, ConfigFile file) {
        if (model != null) {
            return model;
        }
        String name = file.text("model", "");
        if (name.isEmpty()) {
            return defaultModel;
        }
        String folder = name.equals("dense") ? "diffusers" : name;
        for (Path base = path.toAbsolutePath(); base != null; base = base.getParent()) {
            Path found = base.resolve(folder);
            if (Models.isModel(found) && !Files.exists(found.resolve(ReferenceFolder.IO))) {
                return found;
            }
            for (String ending : List.of(".safetensors", ".gguf")) {
                if (Files.exists(base.resolve(folder + ending))) {
                    return base.resolve(folder + ending);
                }
            }
        }
        throw new InputException(path + ": the request's model " + name + " is in no folder above; give --model");
    }

    private GenerationRequest request(Path path, ConfigFile file, Pipeline pipeline) {
        SkipLayers off = SkipLayers.OFF;
        var builder = pipeline.request(file.text("prompt", ""))
                .toBuilder()
                .negativePrompt(file.text("negative_prompt", ""))
                .seed(file.longInteger("seed", 0))
                .steps(file.size("steps"))
                .guidance((float) file.number("cfg", 1))
                .guidanceRescale((float) file.number("guidance_rescale", 0))
                .size(file.size("width"), file.size("height"))
                .t5Length(file.integer("max_sequence_length", 256))
                .t5(!file.flag("no_t5", false))
                .images(file.integer("num_images", 1))
                .seeds(GenerationRequest.Seeds.ONE_DRAW)
                .shift((float) file.number("shift", Float.NaN))
                .sampler(Sampler.Kind.of(file.text("sampler", "euler")))
                .skipLayers(new SkipLayers(file.integers("skip_layers"),
                        (float) file.number("skip_layer_scale", off.scale()),
                        (float) file.number("skip_layer_start", off.start()),
                        (float) file.number("skip_layer_stop", off.stop())));
        if (file.has("init")) {
            Picture init = Png.read(path.resolve("init.png")).picture();
            builder.init(init, file.number("strength", 0.6));
        }
        if (file.flag("mask", false)) {
            builder.mask(Png.read(path.resolve("mask.png")).picture());
        }
        return builder.build();
    }

    /** Token ids per encoder, and the embeddings of both prompts even when there is no guidance. */
    private void compareText(Pipeline pipeline, GenerationRequest request, Expected expected) {
        Set<Component> negatives = EnumSet.noneOf(Component.class);
        List<Conditioning> both = pipeline.conditioner().encode(request, true, new Conditioner.Listener() {
            @Override
            public void tokenized(Component encoder, String prompt, Tokens tokens) {
                // Each encoder sees the negative prompt first, then the prompt, whose ids the reference has.
                if (!negatives.add(encoder)) {
                    expected.compareIndices("input_ids." + encoder.option().replace('-', '_'), tokens.ids());
                }
            }
        });
        String[] prefixes = {"negative_", ""};
        for (int i = 0; i < prefixes.length; i++) {
            compare(expected, prefixes[i] + "prompt_embeds", both.get(i), Conditioning.CONTEXT);
            compare(expected, prefixes[i] + "pooled_prompt_embeds", both.get(i), Conditioning.POOLED);
        }
    }

    /** Compares a tensor of a conditioning, where there is one, as a batch of one. */
    private static void compare(Expected expected, String name, Conditioning conditioning, String tensor) {
        Tensor computed = conditioning.tensors().get(tensor);
        if (computed != null) {
            int[] dims = computed.shape().dims();
            int[] batch = new int[dims.length + 1];
            batch[0] = 1;
            System.arraycopy(dims, 0, batch, 1, dims.length);
            expected.compare(name, Shape.of(batch), computed.toArray());
        }
    }
}
