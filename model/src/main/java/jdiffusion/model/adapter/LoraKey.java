package jdiffusion.model.adapter;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The name of a tensor in a LoRA file, taken apart.
 *
 * @param module what it changes, as the file's writer calls it
 * @param part   what it is of that module
 */
record LoraKey(String module, Part part) {
    /** The tensors of an adapted matrix. */
    enum Part {
        DOWN("lora_down"), UP("lora_up"), ALPHA("alpha"), MAGNITUDE("dora_scale"), BIAS("lora_B.bias"),
        LOKR_W1("lokr_w1"), LOKR_W1_A("lokr_w1_a"), LOKR_W1_B("lokr_w1_b"),
        LOKR_W2("lokr_w2"), LOKR_W2_A("lokr_w2_a"), LOKR_W2_B("lokr_w2_b"),
        LOHA_W1_A("hada_w1_a"), LOHA_W1_B("hada_w1_b"), LOHA_W2_A("hada_w2_a"), LOHA_W2_B("hada_w2_b"),
        MID("lora_mid"), LOHA_T1("hada_t1"), LOHA_T2("hada_t2"), LOKR_T2("lokr_t2"),
        DIFFERENCE("diff"), BIAS_DIFFERENCE("diff_b"), NORM_DIFFERENCE("w_norm"), NORM_BIAS_DIFFERENCE("b_norm");

        private final String label;

        Part(String label) {
            this.label = label;
        }

        String label() {
            return label;
        }
    }

    /**
     * PEFT's lora_A (with or without the adapter's name), kohya's lora_down, diffusers' older lora.down, and XLabs'
     * qkv_lora1.down, whose number says of which of a block's streams it is.
     */
    private static final Pattern PAIR = Pattern.compile("(?<module>.*?)(?:"
            + "\\.lora_(?:(?<a>A)|B)(?:(?:\\.[^.]+)?\\.weight)?"
            + "|\\.lora_(?:(?<down>down)|up)\\.weight"
            + "|[._]lora(?:_linear_layer)?(?<stream>[12])?\\.(?:(?<old>down)|up)\\.weight)");
    /** LyCORIS' core of a convolution between both factors. */
    private static final String MID = ".lora_mid.weight";
    /** PEFT's bias of the second factor, which joins that of the layer. */
    private static final Pattern BIAS = Pattern.compile("(?<module>.*)\\.lora_B(?:\\.default)?\\.bias");
    /** PEFT's name for DoRA's magnitude, which has an element for each output. */
    static final String OF_OUTPUTS = "lora_magnitude_vector";
    private static final Pattern MAGNITUDE =
            Pattern.compile("(?<module>.*)\\." + OF_OUTPUTS + "(?:(?:\\.[^.]+)?\\.weight|\\.default)?");
    private static final Map<String, Part> PARTS = new LinkedHashMap<>();
    /** What else training programs write, by its mark in the name, and what to call it. */
    private static final Map<Pattern, String> UNSUPPORTED = new LinkedHashMap<>();

    static {
        for (Part part : Part.values()) {
            PARTS.put("." + part.label, part);
        }
        unsupported("\\.lokr_t1", "a Tucker decomposition of LoKr's first factor");
        unsupported("\\.lora_bias|\\.(lora_up|lora\\.up)\\.bias$", "a LoRA with biases");
        unsupported("\\.modules_to_save\\.|\\.original_module\\.", "a module that was trained whole (PEFT's"
                + " modules_to_save)");
        unsupported("\\.lora_embedding_[AB]", "a LoRA of an embedding's table");
        unsupported("\\.b?oft_", "OFT");
        unsupported("\\.on_input$|\\.ia3_l", "(IA)^3");
        unsupported("\\.vera_lambda", "VeRA");
        unsupported("\\.[ab][12]\\.weight$", "GLoRA");
        unsupported("\\.reshape_weight$|\\.set_weight$", "a change of a weight's shape");
        unsupported("(?<!lora_B)(?<!lora_B\\.default)\\.bias$", "biases that were trained too (PEFT's bias)");
    }

    /** Null when the name is not that of an adapter's part. */
    static LoraKey of(String name) {
        if (name.endsWith(MID)) {
            return new LoraKey(name.substring(0, name.length() - MID.length()), Part.MID);
        }
        int dot = name.lastIndexOf('.');
        Part part = dot < 0 ? null : PARTS.get(name.substring(dot));
        if (part != null && part != Part.DOWN && part != Part.UP && part != Part.MID) {
            return new LoraKey(name.substring(0, dot), part);
        }
        Matcher magnitude = MAGNITUDE.matcher(name);
        if (magnitude.matches()) {
            return new LoraKey(magnitude.group("module"), Part.MAGNITUDE);
        }
        Matcher bias = BIAS.matcher(name);
        if (bias.matches()) {
            return new LoraKey(bias.group("module"), Part.BIAS);
        }
        Matcher pair = PAIR.matcher(name);
        if (!pair.matches()) {
            return null;
        }
        boolean down = pair.group("a") != null || pair.group("down") != null || pair.group("old") != null;
        String stream = pair.group("stream") == null ? "" : pair.group("stream");
        return new LoraKey(pair.group("module").replace(".processor", "") + stream, down ? Part.DOWN : Part.UP);
    }

    private static void unsupported(String mark, String kind) {
        UNSUPPORTED.put(Pattern.compile(mark), kind);
    }

    /** Whether a name is that of an adapter's part, of a kind that is supported or not; biases may be a model's. */
    static boolean isAdapter(String name) {
        return of(name) != null || unsupported(name) != null && !name.endsWith(".bias");
    }

    /** What kind of adapter has such tensors; null when that is unknown or supported. */
    static String unsupported(String name) {
        for (Map.Entry<Pattern, String> mark : UNSUPPORTED.entrySet()) {
            if (mark.getKey().matcher(name).find()) {
                return mark.getValue();
            }
        }
        return null;
    }
}
