package jdiffusion.model.request;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import jdiffusion.kernels.Precision;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.sampling.SkipLayers;
import jdiffusion.model.settings.Infotext;

/**
 * How pictures were drawn, as the text in their files says it: under the names of AUTOMATIC1111's web UI and
 * stable-diffusion.cpp, and names of our own for what those lack. {@link FoundFields} reads it.
 *
 * @param files   of the model with all that was added to it
 * @param model   its name
 * @param inputs  as the user gave them
 * @param more    further settings by their names, in order
 * @param version of this program
 */
public record PictureText(ModelFiles files, String model, Precision precision, InputPictures inputs, LoraRecord loras,
                          ControlInput control, TaesdInput taesd, Map<String, String> more, String version) {
    public static final String MODEL = "Model";
    public static final String INIT_HASH = "Init image hash";
    public static final String MASK_HASH = "Mask hash";
    public static final String QUANTIZE = "Quantize";
    static final String STRENGTH = "Denoising strength";
    static final String RESCALE = "Guidance rescale";
    /** stable-diffusion.cpp's name for the guidance that a network is told. */
    static final String GUIDANCE = "Guidance";
    static final String T5_LENGTH = "T5 length";
    static final String T5 = "T5";
    public static final String OFF = "off";
    static final String SKIP_LAYERS = "Skip layers";
    static final String SLG_SCALE = "SLG scale";
    static final String SKIP_START = "Skip layer start";
    static final String SKIP_END = "Skip layer end";
    public static final String PRECISION = "Precision";
    static final String SHIFT = "Shift";

    /** The text for the file of a request's only picture. */
    public Infotext of(GenerationRequest r) {
        Map<String, String> fields = new LinkedHashMap<>();
        fields.put("Steps", Integer.toString(r.steps()));
        SamplingText.describe(r, fields);
        fields.put("CFG scale", number(r.guidance()));
        if (r.embedded().isThere()) {
            fields.put(GUIDANCE, number(r.embedded().scale()));
        }
        if (r.guidanceRescale() > 0) {
            fields.put(RESCALE, number(r.guidanceRescale()));
        }
        fields.put("Seed", Long.toUnsignedString(r.seed()));
        fields.put("Size", r.width() + "x" + r.height());
        fields.put(MODEL, model);
        if (r.init() != null) {
            fields.put(STRENGTH, number(r.strength()));
            fields.put(INIT_HASH, inputs.initHash());
        }
        if (r.mask() != null) {
            InpaintChoices.describe(inputs.inpaint(), fields);
        }
        if (inputs.mask() != null) {
            fields.put(MASK_HASH, inputs.maskHash());
        }
        HiresChoices.describe(r, fields);
        if (!Float.isNaN(r.shift())) {
            fields.put(SHIFT, number(r.shift()));
        }
        describeEncoders(r, fields);
        SkipLayers skip = r.skipLayers();
        if (!skip.layers().isEmpty()) {
            fields.put(SLG_SCALE, number(skip.scale()));
            fields.put(SKIP_LAYERS, skip.layers().stream().map(String::valueOf).collect(Collectors.joining(", ")));
            fields.put(SKIP_START, number(skip.start()));
            fields.put(SKIP_END, number(skip.stop()));
        }
        ConditioningText.describe(r, fields);
        MethodText.describe(r, fields);
        fields.putAll(more);
        loras.describe(fields);
        control.describe(r, fields);
        taesd.describe(fields);
        fields.put(PRECISION, precision.label());
        fields.put(MethodText.RNG, MethodText.rng(r.methods()));
        fields.put("Version", version);
        return new Infotext(loras.prompt(), r.negativeText(), fields);
    }

    private void describeEncoders(GenerationRequest r, Map<String, String> fields) {
        Set<Component> components = files.architecture().components();
        if (components.contains(Component.T5)) {
            fields.put(T5_LENGTH, Integer.toString(r.t5Length()));
        }
        if (!r.t5() && components.contains(Component.T5)) {
            fields.put(T5, OFF);
        }
        for (Component clip : List.of(Component.CLIP_L, Component.CLIP_G)) {
            if (components.contains(clip) && !files.has(clip)) {
                fields.put(clip.label(), OFF);
            }
        }
    }

    /** 4.0 as 4, and every other number so that the same one is read back. */
    public static String number(Number value) {
        String text = value.toString();
        return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
    }
}
