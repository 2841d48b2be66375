package jdiffusion.server.own;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.PromptWeights;
import jdiffusion.model.request.HiresChoices;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.model.sampling.FlowScheduler;
import jdiffusion.model.sampling.NoiseSource;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.server.draw.Limits;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.http.Json;

/**
 * The fields of a job that a form can show without knowing them, beside prompt, model, size, seed, number and pictures.
 */
final class FormFields {
    private static final String SAMPLING = "sampling";
    private static final String TEXT = "text";
    private static final String TUNING = "tuning";
    private static final String START = "start";
    private static final String MASK = "mask";
    private static final String HIRES = "hires";
    private static final String SKIP = "skip";
    private static final String CONTROL = "control";
    /** Names, titles, and the field without which a group means nothing; in the form's order. */
    private static final String[][] GROUPS = {{SAMPLING, "Sampling", null}, {TUNING, "Fine tuning", null},
        {TEXT, "Text encoders", null}, {START, "Picture to start from", "init"}, {MASK, "Mask", "mask"},
        {HIRES, "Second pass", null}, {SKIP, "Skip-layer guidance", null}, {CONTROL, "ControlNet", "control"}};
    /** Evaluations with which a picture is there while one looks. */
    private static final int FEW_STEPS = 8;
    private static final int SLIDER_STEPS = 60;
    private static final int SLIDER_FEW_STEPS = 16;

    private FormFields() {
    }

    static ArrayNode groups() {
        ArrayNode json = Json.array();
        for (String[] group : GROUPS) {
            json.addObject().put("name", group[0]).put("label", group[1]).put("needs", group[2]);
        }
        return json;
    }

    /** @param controlNets names of those that the server has */
    static ArrayNode fields(Limits limits, List<String> controlNets) {
        List<String> samplers = Arrays.stream(Sampler.Kind.values()).map(Sampler.Kind::label).toList();
        List<String> schedules = Arrays.stream(SigmaSchedule.values()).map(SigmaSchedule::label).toList();
        List<String> noises = Arrays.stream(NoiseSource.values()).map(NoiseSource::label).toList();
        List<String> weights = Arrays.stream(PromptWeights.values()).map(PromptWeights::label).toList();
        List<FormField> fields = List.of(
                FormField.integer("steps", "Steps", SAMPLING, 1, limits.steps(), "Evaluations of the network, more or"
                        + " less."),
                FormField.number("guidance", "Guidance", SAMPLING, 0, 20, 0.1, "How closely the prompt is followed; 1"
                        + " or less is none, and takes half the time."),
                FormField.number("embedded_guidance", "Embedded guidance", SAMPLING, 0, 20, 0.1, "What this distilled"
                        + " network is told."),
                FormField.choice("sampler", "Sampler", SAMPLING, samplers, ""),
                FormField.choice("scheduler", "Schedule", SAMPLING, schedules, "How the noise levels are spaced."),
                FormField.number("eta", "Eta", TUNING, 0, 1, 0.05, "New noise of each step, for samplers that draw"
                        + " some."),
                FormField.number("shift", "Shift", TUNING, 0.05, 20, 0.05, "More than 1 spends more steps on"
                        + " composition."),
                FormField.number("guidance_rescale", "Guidance rescale", TUNING, 0, 1, 0.05, "Against burnt"
                        + " colours of a high guidance."),
                FormField.text("guiders", "Guiders", TUNING, "Variants of guidance, such as: cfg-zero,"
                        + " interval(0.1,0.8)"),
                FormField.text("cache", "Saved evaluations", TUNING, "Such as: taylor(4)"),
                FormField.text("sigmas", "Noise levels by hand", TUNING, "From the first to the last, such as: 1, 0.8,"
                        + " 0.4. They stand in for the schedule and the number of steps."),
                FormField.choice("noise", "Noise", TUNING, noises, "Where a seed's numbers come from."),
                FormField.choice("weights", "Brackets in the prompt", TEXT, weights, "As whose weights they are"
                        + " read."),
                FormField.text("prompt_2", "Prompt for the second encoder", TEXT, "Left empty: the same prompt."),
                FormField.text("negative_prompt_2", "Negative prompt for the second encoder", TEXT, ""),
                FormField.integer("clip_skip", "Clip skip", TEXT, 1, 12, "The layer of CLIP that is read, counted from"
                        + " the last."),
                FormField.flag("t5", "Read the prompt with T5, too", TEXT, "Without it less memory is needed, and long"
                        + " prompts and lettering suffer."),
                FormField.integer("t5_length", "Tokens for T5", TEXT, 1, 512, ""),
                FormField.flag("clean_caption", "Clean the prompt", TEXT, "As captions were cleaned for training."),
                FormField.flag("resolution_binning", "Draw at a trained size", TEXT, "The nearest in shape, which is"
                        + " then resized."),
                FormField.number("strength", "Strength", START, 0.05, 1, 0.05, "How much is drawn anew."),
                FormField.choice("resize", "Another shape is", START, List.of("stretch", "crop"), "What becomes of a"
                        + " picture that has another shape."),
                FormField.text("outpaint", "Draw around it", START, "Pixels on the left, at the top, on the right and at"
                        + " the bottom, such as: 64,0,64,0"),
                FormField.integer("mask_blur", "Soft edges", MASK, 0, InpaintSettings.MOST_BLUR, "Pixels by which the"
                        + " mask is blurred; 0 for hard edges."),
                FormField.flag("mask_invert", "Draw what is not masked", MASK, ""),
                FormField.flag("only_masked", "Draw the masked part alone", MASK, "It is cut out, drawn at the size"
                        + " asked for, and put back."),
                FormField.integer("mask_padding", "Around that part", MASK, 0, 1024, "Pixels that are cut out around"
                        + " what is masked."),
                FormField.choice("mask_fill", "The masked part starts from", MASK, Stream.of(MaskFill.values())
                        .map(MaskFill::label).toList(), ""),
                FormField.number("hires", "Times as large", HIRES, 1, Hires.MOST, 0.05, "Left empty: there is no second"
                        + " pass."),
                FormField.number("hires_strength", "Strength of the second pass", HIRES, 0.05, 1, 0.05, "How much of"
                        + " the first is drawn over."),
                FormField.integer("hires_steps", "Steps of the second pass", HIRES, 1, limits.steps(), "Left empty: as"
                        + " many as the first has."),
                FormField.choice("hires_upscaler", "Enlarged is", HIRES, Stream.of(Hires.Upscaler.values())
                        .map(Hires.Upscaler::label).toList(), "The latents, or the picture by Lanczos."),
                FormField.text("skip_layers.layers", "Layers to skip", SKIP, "Counted from 0, such as: 7, 8, 9. Left"
                        + " empty: none."),
                FormField.number("skip_layers.scale", "Scale of skipping", SKIP, 0, 10, 0.1, "How far the picture is moved away"
                        + " from the one without these layers."),
                FormField.number("skip_layers.start", "Skipped from", SKIP, 0, 1, 0.01, "Part of the steps."),
                FormField.number("skip_layers.end", "Skipped to", SKIP, 0, 1, 0.01, "Part of the steps."),
                FormField.choice("control.model", "Which one", CONTROL, controlNets, ""),
                FormField.number("control.strength", "Strength of control", CONTROL, 0, 2, 0.05, ""),
                FormField.number("control.start", "Control from", CONTROL, 0, 1, 0.01, "Part of the steps."),
                FormField.number("control.end", "Control to", CONTROL, 0, 1, 0.01, "Part of the steps."));
        ArrayNode json = Json.array();
        fields.forEach(field -> json.add(field.json()));
        return json;
    }

    /**
     * What a model has of these, with its defaults; null where the default is the checkpoint's own.
     *
     * @param controlNets names of those that the server has
     */
    static ObjectNode defaults(ServedModel model, GenerationRequest usual, List<String> controlNets) {
        ObjectNode json = Json.object().put("steps", usual.steps()).put("guidance", rounded(usual.guidance()));
        if (usual.embedded().isThere()) {
            json.put("embedded_guidance", rounded(usual.embedded().scale()));
        }
        json.put("sampler", usual.sampler().kind().label());
        json.put("scheduler", usual.schedule() == null ? null : usual.schedule().label());
        json.putNull("eta");
        if (model.files().scheduler() instanceof FlowScheduler) {
            json.putNull("shift");
        }
        json.put("guidance_rescale", rounded(usual.guidanceRescale()));
        json.putNull("guiders").putNull("cache").putNull("sigmas").putNull("noise");
        if (model.layers() > 0) {
            SkipLayers skip = usual.skipLayers();
            String layers = skip.layers().stream().map(String::valueOf).collect(Collectors.joining(", "));
            json.put("skip_layers.layers", layers.isEmpty() ? null : layers)
                    .put("skip_layers.scale", rounded(skip.scale())).put("skip_layers.start", rounded(skip.start()))
                    .put("skip_layers.end", rounded(skip.stop()));
        }
        if (!controlNets.isEmpty()) {
            json.put("control.model", controlNets.getFirst()).put("control.strength", 1).put("control.start", 0)
                    .put("control.end", 1);
        }
        json.putNull("weights");
        Set<Component> components = model.files().architecture().components();
        if (components.contains(Component.CLIP_G)) {
            json.putNull("prompt_2").putNull("negative_prompt_2");
        }
        if (components.contains(Component.CLIP_L)) {
            json.putNull("clip_skip");
        }
        if (components.contains(Component.T5)) {
            if (components.contains(Component.CLIP_L)) {
                json.put("t5", usual.t5());
            }
            json.put("t5_length", usual.t5Length());
        }
        if (model.family().cleansCaptions()) {
            json.put("clean_caption", usual.text().cleanCaption());
        }
        if (model.family().hasBins()) {
            json.put("resolution_binning", usual.resolutionBinning());
        }
        InpaintSettings plain = InpaintSettings.PLAIN;
        return json.put("strength", usual.strength()).put("resize", "stretch").putNull("outpaint").put("mask_blur", plain.blur())
                .put("mask_invert", false).put("only_masked", false).put("mask_padding", InpaintSettings.USUAL_PADDING)
                .put("mask_fill", plain.fill().label()).putNull("hires")
                .put("hires_strength", HiresChoices.USUAL_STRENGTH).putNull("hires_steps")
                .put("hires_upscaler", HiresChoices.USUAL_UPSCALER.label());
    }

    /** Ranges for sliders; fields take more. */
    static ObjectNode ranges(GenerationRequest usual) {
        ObjectNode json = Json.object();
        json.putArray("steps").add(1).add(isFast(usual) ? SLIDER_FEW_STEPS : Math.max(SLIDER_STEPS, usual.steps()));
        json.putArray("guidance").add(0).add(usual.guided() ? 12 : 4);
        json.putArray("embedded_guidance").add(0).add(10);
        json.putArray("eta").add(0).add(1);
        return json;
    }

    /** Whether a picture takes so few evaluations that it can follow a camera. */
    static boolean isFast(GenerationRequest usual) {
        return usual.steps() * (usual.guided() ? 2 : 1) <= FEW_STEPS;
    }

    /** 7 and not 7.000000001 in JSON. */
    private static double rounded(float value) {
        return Double.parseDouble(Float.toString(value));
    }
}
