package jdiffusion.model.checkpoint;

import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What files hold beside the networks that are used: the other halves of networks, and what training leaves. It is
 * counted, and never in the way.
 */
public final class LeftAside {
    /** Kinds of such tensors. */
    enum Kind {
        VISION("CLIP's other half, which sees"), DECODER("T5's decoder"), LOSS("what the VAE was trained with"),
        AVERAGE("averages of weights (EMA)"), CONTROL("a ControlNet"), IMAGE_PROMPT("an IP-Adapter"),
        TRAINING("training"),
        ENCODER("what other programs keep with text encoders");

        private final String label;

        Kind(String label) {
            this.label = label;
        }
    }

    /** Before the names of all text encoders in ComfyUI's files. */
    static final String ENCODERS = "text_encoders.";

    private static final Set<String> VISION_TOWER = Set.of("vision_model", "visual_projection", "visual",
            "vision_tower", "vision_embeddings", "logit_scale", "logit_bias");
    private static final Pattern T5_DECODER = Pattern.compile("(?:decoder|lm_head|dec|classification_head|qa_outputs"
            + "|prediction_head)\\..*|output\\.weight|logit_scale");
    private static final Set<String> VAE_LOSS = Set.of("loss", "losses", "lpips", "perceptual_loss", "discriminator",
            "disc", "gan_loss");
    private static final Pattern EMA = Pattern.compile("(?:.*\\.)?(?:\\w+_)?ema(?:_\\w+)?\\..*");
    private static final Pattern CONTROL_NET = Pattern.compile("(?:control_model|controlnet|control_net)\\..*");
    private static final Pattern IMAGE_PROMPT = Pattern.compile("(?:.*\\.)?(?:encoder_hid_proj\\.image_\\w+|image_proj)"
            + "\\..*");
    private static final Set<String> STATE = Set.of("optimizer", "optimizers", "optimizer_state", "optimizer_states",
            "lr_scheduler", "lr_schedulers", "grad_scaler", "callbacks", "loops", "random_state", "random_states",
            "rng_state", "projectors", "teacher");
    private static final Pattern REPA = Pattern.compile("(?:.*\\.)?repa_\\w+\\..*");
    /** Buffers of schedules, counters, texts: the last part of a name. */
    private static final Pattern BUFFER = Pattern.compile("betas|alphas|(?:sqrt_|log_|sqrt_recip_|sqrt_recipm1_)?"
            + "(?:one_minus_)?alphas_cumprod(?:_prev)?|posterior_(?:variance|log_variance_clipped|mean_coef[12])"
            + "|lvlb_weights|logvar|log_sigmas|num_updates|ema_decay|global_step|num_batches_tracked|ztsnr|v_pred"
            + "|spiece_model|position_ids|logit_scale|attn_mask");
    /** The same as whole names. */
    private static final Set<String> SINGLE = Set.of("denoiser.sigmas", "sigmas", "timesteps", "step", "steps", "epoch",
            "iteration", "iter", "decay", "scale_factor", "lr");
    /** So common that nobody needs to be told. */
    private static final Pattern USUAL = Pattern.compile("(?:.*\\.)?(?:logit_scale|spiece_model|position_ids)"
            + "|denoiser\\.sigmas|model_sampling\\..*");

    /** In the names of a LoRA's tensors, of any program that trains them. */
    private static final List<String> ADAPTERS = List.of(".lora_", ".lora.", "_lora.", "_lora1.", "_lora2.", ".hada_w",
            ".lokr_w", ".dora_scale", ".oft_");

    private final Map<Kind, Integer> counts = new EnumMap<>(Kind.class);
    private boolean unusual;

    /**
     * What a tensor of a component is that no network here needs; null for what may be a part of it.
     *
     * @param component null for none
     * @param name      without the component's prefix
     */
    static Kind kind(Component component, String name) {
        Kind half = component == null ? null : switch (component) {
            case CLIP_L, CLIP_G -> hasPart(name, true, VISION_TOWER) ? Kind.VISION : null;
            case T5 -> T5_DECODER.matcher(name).matches() ? Kind.DECODER : null;
            case VAE -> hasPart(name, false, VAE_LOSS) ? Kind.LOSS : null;
            case DENOISER -> CONTROL_NET.matcher(name).matches() ? Kind.CONTROL
                    : name.contains("_ip.") || name.contains("image_") && IMAGE_PROMPT.matcher(name).matches()
                    ? Kind.IMAGE_PROMPT : null;
        };
        return half != null ? half : isAverage(name) ? Kind.AVERAGE : isTraining(name) ? Kind.TRAINING : null;
    }

    /** The same for a tensor outside of all components: whatever half of a network it is. */
    static Kind kind(String name) {
        Kind half = hasPart(name, true, VISION_TOWER) ? Kind.VISION
                : hasPart(name, false, VAE_LOSS) ? Kind.LOSS
                : name.startsWith("lm_head.") ? Kind.DECODER : kind(Component.DENOISER, name);
        return half == null && name.startsWith(ENCODERS) ? Kind.ENCODER : half;
    }

    /** Whether these are the names of a LoRA's file, whose matrices are all parts of changes to a model's. */
    static boolean isAdapter(Collection<String> names) {
        boolean some = false;
        for (String name : names) {
            boolean part = name.startsWith("lora_") || name.startsWith("lycoris_")
                    || ADAPTERS.stream().anyMatch(name::contains);
            if (!part && name.endsWith(".weight")) {
                return false;
            }
            some |= part;
        }
        return some;
    }

    /** Whether a name is that of weights that were averaged while others were trained. */
    static boolean isAverage(String name) {
        return name.contains("ema") && EMA.matcher(name).matches();
    }

    /** Whether a name is one that training or another program leaves in files. */
    public static boolean isTraining(String name) {
        return hasPart(name, false, STATE) || name.contains("repa_") && REPA.matcher(name).matches()
                || BUFFER.matcher(name.substring(name.lastIndexOf('.') + 1)).matches()
                || SINGLE.contains(name) || name.startsWith("model_sampling.");
    }

    /**
     * Whether a part of a name, between dots, is wanted. Files have thousands of names, and a pattern that looks for a
     * part tries all its alternatives behind every dot.
     *
     * @param last whether that may be the last part
     */
    private static boolean hasPart(String name, boolean last, Set<String> wanted) {
        int from = 0;
        for (int dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', from)) {
            if (wanted.contains(name.substring(from, dot))) {
                return true;
            }
            from = dot + 1;
        }
        return last && wanted.contains(name.substring(from));
    }

    void add(Kind kind, String name) {
        counts.merge(kind, 1, Integer::sum);
        unusual |= !USUAL.matcher(name).matches();
    }

    /** What to tell the user; null for nothing. */
    String note(String file) {
        int all = counts.values().stream().mapToInt(Integer::intValue).sum();
        return !unusual ? null : file + ": " + all + (all == 1 ? " tensor is" : " tensors are")
                + " not needed and left aside: " + counts.entrySet().stream()
                        .map(count -> count.getValue() + " of " + count.getKey().label)
                        .collect(Collectors.joining(", "));
    }
}
