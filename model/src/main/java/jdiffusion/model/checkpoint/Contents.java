package jdiffusion.model.checkpoint;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeSet;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.names.ClipNames;
import jdiffusion.model.checkpoint.names.LdmVaeNames;
import jdiffusion.model.checkpoint.names.LlamaT5Names;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.checkpoint.names.StabilityNames;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.TensorSource;

/**
 * Which components a file of weights holds, told by its tensors' names and shapes.
 *
 * @param strays names that belong to none of them
 */
record Contents(Map<Component, Part> parts, List<String> strays) {
    /** A CLIP's table of tokens, whose width tells one from the other. */
    static final String TOKENS = "text_model.embeddings.token_embedding.weight";
    private static final int CLIP_L_WIDTH = 768;
    private static final int CLIP_G_WIDTH = 1280;
    private static final int MOST_SHOWN = 4;
    /** What training and other programs leave in a file beside the weights; names by their end, or by their start. */
    private static final List<String> HARMLESS_ENDS =
            List.of("logit_scale", "spiece_model", "embeddings.position_ids");
    private static final List<String> HARMLESS_STARTS = List.of("model_ema.", "denoiser.sigmas", "model_sampling.");
    private static final List<Known> KNOWN = known();

    /**
     * One component's tensors.
     *
     * @param prefix of their names in the file
     * @param names  without the prefix
     */
    record Part(String prefix, Naming naming, List<String> names) {
    }

    /**
     * How a component can be recognised.
     *
     * @param component null for a CLIP whose prefix does not say which
     * @param marker    what names start with behind the prefix
     */
    private record Known(Component component, String prefix, String marker, Naming naming) {
        boolean isIn(NavigableSet<String> names) {
            String next = names.ceiling(prefix + marker);
            return next != null && next.startsWith(prefix + marker);
        }
    }

    private static List<Known> known() {
        List<Known> all = new ArrayList<>();
        for (String prefix : List.of("model.diffusion_model.", "diffusion_model.", "transformer.", "model.", "")) {
            all.add(new Known(Component.DENOISER, prefix, "joint_blocks.", new StabilityNames()));
            all.add(new Known(Component.DENOISER, prefix, "transformer_blocks.", Naming.DIFFUSERS));
        }
        for (String prefix : List.of("first_stage_model.", "vae.", "")) {
            all.add(new Known(Component.VAE, prefix, "decoder.up.", new LdmVaeNames()));
            all.add(new Known(Component.VAE, prefix, "decoder.up_blocks.", Naming.DIFFUSERS));
        }
        for (String prefix : List.of("text_encoders.t5xxl.transformer.", "text_encoders.t5xxl.", "t5xxl.transformer.",
                "t5xxl.", "text_encoder_3.", "te3.", "")) {
            all.add(new Known(Component.T5, prefix, "encoder.block.", Naming.DIFFUSERS));
            all.add(new Known(Component.T5, prefix, "enc.blk.", new LlamaT5Names()));
        }
        Naming clip = new ClipNames();
        for (String prefix : List.of("text_encoders.clip_l.transformer.", "text_encoders.clip_l.",
                "clip_l.transformer.", "clip_l.", "text_encoder.", "te1.", "cond_stage_model.transformer.")) {
            all.add(new Known(Component.CLIP_L, prefix, "text_model.", clip));
        }
        for (String prefix : List.of("text_encoders.clip_g.transformer.", "text_encoders.clip_g.",
                "clip_g.transformer.", "clip_g.", "text_encoder_2.", "te2.", "cond_stage_model.1.transformer.")) {
            all.add(new Known(Component.CLIP_G, prefix, "text_model.", clip));
        }
        all.add(new Known(null, "", "text_model.", clip));
        all.add(new Known(null, "transformer.", "text_model.", clip));
        return List.copyOf(all);
    }

    /**
     * @param place where the file lies: tells which CLIP it is when neither prefix nor width does
     * @throws InputException when the file holds a component twice
     */
    static Contents of(TensorSource source, String place) {
        NavigableSet<String> names = new TreeSet<>(source.names());
        Map<Component, Known> found = new EnumMap<>(Component.class);
        for (Known known : KNOWN) {
            if (known.isIn(names)) {
                Component component = known.component != null ? known.component
                        : clip(source, known.prefix, place);
                Known other = found.putIfAbsent(component, known);
                if (other != null) {
                    throw new InputException(source.origin() + ": holds two of " + component.label() + ", "
                            + other.prefix + other.marker + "* and " + known.prefix + known.marker
                            + "*; the file mixes two models or layouts");
                }
            }
        }
        return assign(source, names, found);
    }

    /** Each name belongs to the component with the longest prefix of it. */
    private static Contents assign(TensorSource source, NavigableSet<String> names, Map<Component, Known> found) {
        Map<Component, List<String>> lists = new EnumMap<>(Component.class);
        Map<String, Component> byPrefix = new HashMap<>();
        found.forEach((component, known) -> {
            Component other = byPrefix.put(known.prefix, component);
            if (other != null) {
                throw new InputException(source.origin() + ": holds " + component.label() + " and " + other.label()
                        + " with nothing before their tensors' names that would tell them apart; keep them in two"
                        + " files");
            }
            lists.put(component, new ArrayList<>());
        });
        List<String> strays = new ArrayList<>();
        for (String name : names) {
            String prefix = byPrefix.keySet().stream().filter(name::startsWith)
                    .max((a, b) -> a.length() - b.length()).orElse(null);
            if (isHarmless(name)) {
                continue;
            } else if (prefix == null) {
                strays.add(name);
            } else {
                lists.get(byPrefix.get(prefix)).add(name.substring(prefix.length()));
            }
        }
        Map<Component, Part> parts = new EnumMap<>(Component.class);
        found.forEach((component, known) -> parts.put(component,
                new Part(known.prefix, known.naming, List.copyOf(lists.get(component)))));
        return new Contents(parts, List.copyOf(strays));
    }

    private static boolean isHarmless(String name) {
        return HARMLESS_ENDS.stream().anyMatch(name::endsWith) || HARMLESS_STARTS.stream().anyMatch(name::startsWith);
    }

    /** The published ones are told by their width, others by the names of file and folder; CLIP-L if all is silent. */
    private static Component clip(TensorSource source, String prefix, String place) {
        Shape tokens = source.shape(prefix + TOKENS);
        int width = tokens == null ? 0 : tokens.cols();
        if (width == CLIP_L_WIDTH || width == CLIP_G_WIDTH) {
            return width == CLIP_L_WIDTH ? Component.CLIP_L : Component.CLIP_G;
        }
        String name = place.toLowerCase(Locale.ROOT);
        return name.matches(".*(clip[-_. ]?g|bigg|text_encoder_2)(?![a-z]).*") ? Component.CLIP_G : Component.CLIP_L;
    }

    /** A bare CLIP may be either; the other one when the user says so, as far as its width lets it. */
    Contents withClipAs(Component wanted, TensorSource source) {
        Component other = wanted == Component.CLIP_L ? Component.CLIP_G : Component.CLIP_L;
        Part part = parts.get(other);
        if (parts.containsKey(wanted) || part == null) {
            return this;
        }
        Shape tokens = source.shape(part.prefix + TOKENS);
        int width = tokens == null ? 0 : tokens.cols();
        boolean published = width == CLIP_L_WIDTH || width == CLIP_G_WIDTH;
        boolean named = KNOWN.stream().anyMatch(k -> k.component == other && k.prefix.equals(part.prefix));
        return published || named ? this : new Contents(Map.of(wanted, part), strays);
    }

    /** Fails when tensors belong to no component. */
    void refuseStrays(TensorSource source) {
        if (!strays.isEmpty()) {
            throw new InputException(source.origin() + ": " + strays.size() + " tensor(s) belong to no part of an SD3"
                    + " model: " + shown(strays));
        }
    }

    /** The first names of a list, for messages. */
    static String shown(List<String> names) {
        return names.stream().limit(MOST_SHOWN).map(InputException::shown).collect(Collectors.joining(", "))
                + (names.size() > MOST_SHOWN ? ", ..." : "");
    }
}
