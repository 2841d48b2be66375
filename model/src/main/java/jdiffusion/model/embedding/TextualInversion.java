package jdiffusion.model.embedding;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/**
 * Vectors that stand in a prompt like tokens that a text encoder's vocabulary does not have (Gal et al., "An Image is
 * Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion", 2022).
 *
 * @param name    as prompts write it
 * @param vectors for each encoder that the file names ({@link #CLIP_L}, {@link #CLIP_G}), else under {@link #ANY} alone
 *                for the encoders of that width: [vectors][width]
 */
public record TextualInversion(String name, Path file, Map<String, float[][]> vectors) {
    /** What files call the encoders. */
    public static final String CLIP_L = "clip_l";
    public static final String CLIP_G = "clip_g";
    /** The key where a file does not say whose its vectors are. */
    public static final String ANY = "";
    static final String SUFFIX = ".safetensors";
    private static final List<String> PICKLES = List.of(".pt", ".bin", ".pth", ".ckpt");
    /** By encoder: ComfyUI's and kohya's names, and those of diffusers' training with pivots. */
    private static final Map<String, String> OWNERS = Map.of(CLIP_L, CLIP_L, CLIP_G, CLIP_G, "text_encoders_0", CLIP_L,
            "text_encoders_1", CLIP_G);
    /** AUTOMATIC1111's web UI's names of the only tensor. */
    private static final List<String> ALONE = List.of("emb_params", "string_to_param.*", "string_to_param", "*");
    private static final Set<String> OF_T5 = Set.of("t5xxl", "t5");
    /** Far more than any prompt takes. */
    private static final int MOST_VECTORS = 1 << 16;
    private static final int MOST_SHOWN = 4;

    static boolean isPickle(Path file) {
        String name = file.toString().toLowerCase(Locale.ROOT);
        return PICKLES.stream().anyMatch(name::endsWith);
    }

    static boolean isOne(Path file) {
        return file.toString().toLowerCase(Locale.ROOT).endsWith(SUFFIX);
    }

    /** Whether a file's tensors have the names of a textual inversion's, and no others. */
    public static boolean isOne(Set<String> names) {
        boolean token = names.size() == 1 && names.iterator().next().matches("<.*>");
        return token || !names.isEmpty() && names.stream().allMatch(
                name -> OWNERS.containsKey(name) || ALONE.contains(name) || OF_T5.contains(name));
    }

    /**
     * Reads a safetensors file whole.
     *
     * @throws InputException when it is none, or holds something else
     */
    public static TextualInversion read(String name, Path file) {
        if (isPickle(file)) {
            throw new InputException(file + ": a pickled embedding can run programs and is not read; convert it once in"
                    + " Python: torch.load(FILE, weights_only=True), then safetensors.torch.save_file({'emb_params':"
                    + " its tensor}, 'NAME.safetensors'), or 'clip_l' and 'clip_g' where it has both");
        }
        try (SafetensorsFile opened = SafetensorsFile.open(file)) {
            Map<String, float[][]> vectors = new LinkedHashMap<>();
            Set<String> names = opened.names();
            for (String key : names) {
                if (OWNERS.containsKey(key)) {
                    vectors.put(OWNERS.get(key), vectors(file, key, opened.find(key)));
                }
            }
            if (vectors.isEmpty()) {
                String key = onlyOne(file, names);
                vectors.put(ANY, vectors(file, key, opened.find(key)));
            }
            return new TextualInversion(name, file, vectors);
        }
    }

    private static String onlyOne(Path file, Set<String> names) {
        for (String known : ALONE) {
            if (names.contains(known)) {
                return known;
            }
        }
        if (!names.isEmpty() && OF_T5.containsAll(names)) {
            throw new InputException(file + ": holds vectors for T5 alone; textual inversions of CLIP are supported");
        }
        if (names.size() != 1) {
            throw new InputException(file + ": holds " + names.size() + " tensors" + (names.isEmpty() ? "" : ", "
                    + names.stream().limit(MOST_SHOWN).map(InputException::shown).collect(Collectors.joining(", ")))
                    + "; a textual inversion has clip_l and clip_g, emb_params, or one tensor of any name");
        }
        return names.iterator().next();
    }

    private static float[][] vectors(Path file, String key, Tensor tensor) {
        int rank = tensor.shape().rank();
        if (rank < 1 || rank > 2 || !tensor.type().isFloat() || tensor.shape().size() == 0
                || tensor.rows() > MOST_VECTORS) {
            throw new InputException(file + ": " + InputException.shown(key) + " is " + tensor.type() + tensor.shape()
                    + "; a textual inversion's vectors are floating-point numbers [vectors, width]");
        }
        float[][] vectors = new float[tensor.rows()][tensor.cols()];
        for (int i = 0; i < vectors.length; i++) {
            tensor.read(i, 0, vectors[i].length, vectors[i], 0);
            for (float value : vectors[i]) {
                if (!Float.isFinite(value)) {
                    throw new InputException(file + ": " + InputException.shown(key) + " holds " + value
                            + "; the file is damaged, download it again");
                }
            }
        }
        return vectors;
    }

    /**
     * What stands for it in an encoder's prompt; null when the file has nothing for that encoder.
     *
     * @param encoder {@link #CLIP_L} or {@link #CLIP_G}
     * @param width   of the encoder
     * @throws InputException when the file's vectors are for it by name and of another width
     */
    public float[][] of(String encoder, int width) {
        float[][] own = vectors.get(encoder);
        if (own != null && own[0].length != width) {
            throw new InputException(file + ": " + encoder + " is " + own[0].length + " wide, the model's text encoder "
                    + width + "; this embedding is for another model");
        }
        float[][] any = vectors.get(ANY);
        return own != null ? own : any != null && any[0].length == width ? any : null;
    }

    /** @throws InputException when none of these encoders takes it: widths by encoder */
    public void check(Map<String, Integer> encoders) {
        boolean taken = false;
        for (Map.Entry<String, Integer> encoder : encoders.entrySet()) {
            taken |= of(encoder.getKey(), encoder.getValue()) != null;
        }
        if (!taken) {
            throw new InputException(file + ": " + describe() + ", but the model's text encoders are "
                    + (encoders.isEmpty() ? "without CLIP" : new TreeMap<>(encoders).entrySet().stream()
                    .map(e -> e.getKey() + ", " + e.getValue() + " wide").collect(Collectors.joining(", and ")))
                    + "; this embedding is for another model");
        }
    }

    /** "clip_l 4 vectors of 768, clip_g 4 vectors of 1280". */
    public String describe() {
        List<String> parts = new ArrayList<>();
        vectors.forEach((encoder, rows) -> parts.add((encoder.equals(ANY) ? "" : encoder + " ") + rows.length
                + (rows.length == 1 ? " vector of " : " vectors of ") + rows[0].length));
        return String.join(", ", parts);
    }
}
