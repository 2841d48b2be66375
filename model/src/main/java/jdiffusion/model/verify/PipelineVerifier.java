package jdiffusion.model.verify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.ModelSources;
import jdiffusion.model.checkpoint.Models;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Conditioner;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.Compat;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.LatentSpace;
import jdiffusion.model.family.MicroConditioning;
import jdiffusion.model.family.Progress;
import jdiffusion.model.family.TextOptions;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.Png;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.pipeline.RefinedPipeline;
import jdiffusion.model.reference.Expected;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SamplerSettings;
import jdiffusion.model.sampling.Sigmas;
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
        Pipeline pipeline = scheduled(Pipeline.open(adapted(path, file, open(path, file, "model")), backend), file);
        GenerationRequest request = request(path, file, pipeline);
        if (file.has("refiner")) {
            refined(path, file, pipeline, request, expected);
            return;
        }
        pipeline.check(request);
        compareLevels(pipeline, request, "", 0, expected);
        compareText(pipeline, request, "", expected);
        List<Conditioning> conditionings = pipeline.encode(request, Progress.NONE);
        float[] latents = pipeline.denoise(request, conditionings, steps(pipeline, pipeline, request, expected));
        compareImage(pipeline, request, latents, expected);
    }

    /** A base model and a refiner. */
    private void refined(Path path, ConfigFile file, Pipeline base, GenerationRequest request, Expected expected) {
        Pipeline refiner = Pipeline.open(open(path, file, "refiner"), backend);
        RefinedPipeline both = new RefinedPipeline(base, refiner,
                file.number("refiner_start", RefinedPipeline.USUAL_START));
        both.check(request);
        int first = both.baseEvaluations(request);
        compareLevels(base, request, "", first, expected);
        compareLevels(refiner, request, "refiner.", first, expected);
        compareText(base, request, "", expected);
        compareText(refiner, request, "refiner.", expected);
        float[] latents = both.denoise(request, base.encode(request, Progress.NONE),
                refiner.encode(request, Progress.NONE), steps(base, refiner, request, expected));
        compareImage(refiner, request, latents, expected);
    }

    /** Compares what is seen on the way. */
    private static Progress steps(Pipeline pipeline, Pipeline last, GenerationRequest request, Expected expected) {
        LatentSpace space = pipeline.latents();
        GenerationRequest drawn = pipeline.drawn(request);
        int height = drawn.height() / space.factor();
        int width = drawn.width() / space.factor();
        Shape shape = Shape.of(request.images(), space.channels(), height, width);
        Shape inputs = Shape.of(request.images(), last.denoiserConfig().inChannels(), height, width);
        int[] done = {0};
        int start = pipeline.firstEvaluation(request);
        return new Progress() {
            @Override
            public void step(int ignored, Supplier<float[]> now) {
                expected.compareWithin("latents." + done[0], shape,
                        asReference(pipeline, request, start + done[0] + 1, now.get()), LATENTS_FACTOR);
                done[0]++;
            }

            @Override
            public void see(String name, Supplier<float[]> values) {
                if (done[0] == 0 && name.equals("latents.start")) {
                    expected.compareWithin(name, shape, asReference(pipeline, request, start, values.get()),
                            LATENTS_FACTOR);
                } else if (name.startsWith("noise.")) {
                    expected.compare("noise." + done[0], shape, values.get());
                } else if (name.startsWith("model_input.") && expected.has("model_input." + done[0])) {
                    expected.compareWithin("model_input." + done[0], inputs, values.get(), LATENTS_FACTOR);
                }
            }
        };
    }

    /** Latents before an evaluation, as the reference's scheduler has them. */
    private static float[] asReference(Pipeline pipeline, GenerationRequest request, int evaluation, float[] x) {
        float[] sigmas = pipeline.sigmas(request).toArray();
        if (pipeline.preserving()) {
            double sigma = evaluation < sigmas.length - 1 ? sigmas[evaluation] : 0;
            float factor = (float) (1 / Math.sqrt(1 + sigma * sigma));
            for (int i = 0; i < x.length; i++) {
                x[i] *= factor;
            }
        }
        return x;
    }

    private static void compareImage(Pipeline pipeline, GenerationRequest request, float[] latents,
                                     Expected expected) {
        float[] image = pipeline.decodeValues(request, latents, Progress.NONE);
        for (int i = 0; i < image.length; i++) {
            image[i] = Math.clamp(image[i] / 2 + 0.5f, 0, 1);
        }
        expected.comparePicture("image", Shape.of(request.images(), 3, request.height(), request.width()), image);
    }

    /**
     * The levels of the whole schedule, and the times of the part that runs.
     *
     * @param refined evaluations before the refiner; 0 without one
     */
    private static void compareLevels(Pipeline pipeline, GenerationRequest request, String prefix, int refined,
                                      Expected expected) {
        Sigmas sigmas = pipeline.sigmas(request);
        expected.compare(prefix + "sigmas", Shape.of(sigmas.toArray().length), sigmas.toArray());
        float[] all = sigmas.timesteps();
        int start = pipeline.firstEvaluation(request);
        int change = start + refined;
        float[] times = refined == 0 ? Arrays.copyOfRange(all, start, all.length)
                : prefix.isEmpty() ? Arrays.copyOfRange(all, start, change)
                : Arrays.copyOfRange(all, change, all.length);
        expected.compare(prefix + "timesteps", Shape.of(times.length), times);
    }

    /** The scheduler that a request names in place of the model's. */
    private static Pipeline scheduled(Pipeline pipeline, ConfigFile file) {
        JsonNode own = file.root().get("scheduler");
        if (own != null && !own.isNull()) {
            return pipeline.withScheduler(pipeline.family().scheduler().read(own, file.origin()));
        }
        if (!file.flag("karras", false)) {
            return pipeline;
        }
        ObjectNode karras = pipeline.files().scheduler().write().put("use_karras_sigmas", true);
        return pipeline.withScheduler(pipeline.family().scheduler().read(karras, file.origin()));
    }

    private ModelFiles adapted(Path path, ConfigFile file, ModelFiles files) {
        List<Lora> loras = new ArrayList<>();
        for (JsonNode lora : file.root().path("lora")) {
            loras.add(new Lora(path.resolve(lora.path("file").asText()).normalize(),
                    (float) lora.path("scale").asDouble(1)));
        }
        return AdaptedFiles.of(files, loras);
    }

    private ModelFiles open(Path path, ConfigFile file, String key) {
        String denoiser = key.equals("model") ? file.text("denoiser", "") : "";
        ModelSources extra = denoiser.isEmpty() ? sources : new ModelSources(
                Map.of(Component.DENOISER, path.resolve(denoiser).normalize()), sources.leftOut(),
                sources.tokenizer(), sources.variant(), sources.elsewhere());
        return Families.open(model(path, file, key), extra);
    }

    /**
     * The model given for all, or the one of the name that the request gives, in a folder above; {@code dense} stands
     * for the folder {@code diffusers} of unquantised weights.
     */
    private Path model(Path path, ConfigFile file, String key) {
        if (model != null && key.equals("model")) {
            return model;
        }
        String name = file.text(key, "");
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
        var builder = Compat.DIFFUSERS.over(pipeline.request(file.text("prompt", "")), pipeline.family())
                .toBuilder()
                .negativePrompt(file.has("negative_prompt") ? file.text("negative_prompt", "") : null)
                .seed(file.longInteger("seed", 0))
                .steps(file.size("steps"))
                .guidance((float) file.number("cfg", 1))
                .guidanceRescale((float) file.number("guidance_rescale", 0))
                .size(file.size("width"), file.size("height"))
                .text(new TextOptions(text(file, "prompt_2"), text(file, "negative_prompt_2"),
                        file.integer("clip_skip", 0), file.flag("clean_caption", true)))
                .resolutionBinning(file.flag("resolution_binning", true))
                .micro(micro(file))
                .images(file.integer("num_images", 1))
                .shift((float) file.number("shift", Float.NaN))
                .skipLayers(new SkipLayers(file.integers("skip_layers"),
                        (float) file.number("skip_layer_scale", off.scale()),
                        (float) file.number("skip_layer_start", off.start()),
                        (float) file.number("skip_layer_stop", off.stop())));
        if (file.has("guidance")) {
            builder.embeddedGuidance((float) file.number("guidance", 0));
        }
        if (pipeline.family().components().contains(Component.T5)) {
            builder.t5Length(file.integer("max_sequence_length", 256)).t5(!file.flag("no_t5", false));
        }
        SamplerSettings sampler = file.has("sampler") ? Sampler.Kind.of(file.text("sampler", "")).settings()
                : pipeline.request("").sampler();
        builder.sampler(file.has("eta") ? sampler.withEta(file.number("eta", 0)) : sampler);
        if (file.has("init")) {
            Picture init = Png.read(path.resolve("init.png")).picture();
            builder.init(init, file.number("strength", 0.6));
        }
        if (file.flag("mask", false)) {
            builder.mask(Png.read(path.resolve("mask.png")).picture());
        }
        return builder.build();
    }

    private static String text(ConfigFile file, String key) {
        return file.has(key) ? file.text(key, "") : null;
    }

    private static MicroConditioning micro(ConfigFile file) {
        MicroConditioning usual = MicroConditioning.DEFAULT;
        return new MicroConditioning(pair(file, "original_size"), pair(file, "crops_coords_top_left"),
                pair(file, "target_size"), pair(file, "negative_original_size"),
                pair(file, "negative_crops_coords_top_left"), pair(file, "negative_target_size"),
                (float) file.number("aesthetic_score", usual.aesthetic()),
                (float) file.number("negative_aesthetic_score", usual.negativeAesthetic()));
    }

    private static MicroConditioning.Pair pair(ConfigFile file, String key) {
        List<Integer> values = file.integers(key);
        if (!values.isEmpty() && values.size() != 2) {
            throw new InputException(file.origin() + ": " + key + " is " + values + "; two numbers are needed");
        }
        return values.isEmpty() ? null : new MicroConditioning.Pair(values.get(0), values.get(1));
    }

    /** Token ids per encoder, and the conditionings of both prompts even when there is no guidance. */
    private static void compareText(Pipeline pipeline, GenerationRequest request, String prefix, Expected expected) {
        Map<Component, List<Tokens>> all = new EnumMap<>(Component.class);
        GenerationRequest drawn = pipeline.drawn(request);
        List<Conditioning> both = pipeline.conditioner().encode(drawn, true, new Conditioner.Listener() {
            @Override
            public void tokenized(Component encoder, String prompt, Tokens tokens) {
                // Each encoder sees the negative prompt first, then the prompt.
                all.computeIfAbsent(encoder, _ -> new ArrayList<>()).add(tokens);
            }
        });
        all.forEach((encoder, tokens) -> {
            String name = "input_ids." + encoder.option().replace('-', '_');
            compareTokens(expected, prefix + name, prefix + "attention_mask", encoder, tokens.getLast());
            compareTokens(expected, prefix + "negative_" + name, prefix + "negative_attention_mask", encoder,
                    tokens.getFirst());
        });
        String[] prefixes = {"negative_", ""};
        for (int i = 0; i < prefixes.length; i++) {
            String start = prefix + prefixes[i];
            compare(expected, start + "prompt_embeds", both.get(i), Conditioning.CONTEXT);
            compare(expected, start + "pooled_prompt_embeds", both.get(i), Conditioning.POOLED);
            compare(expected, start + "add_time_ids", both.get(i), "time_ids");
        }
    }

    /** @param mask name of what tells T5's text from its padding */
    private static void compareTokens(Expected expected, String ids, String mask, Component encoder, Tokens tokens) {
        expected.compareIndices(ids, tokens.ids());
        if (encoder == Component.T5) {
            int[] ones = new int[tokens.ids().length];
            Arrays.fill(ones, 0, Math.min(tokens.used(), ones.length), 1);
            expected.compareIndices(mask, ones);
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
