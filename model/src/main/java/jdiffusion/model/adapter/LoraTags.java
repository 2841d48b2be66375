package jdiffusion.model.adapter;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.tensor.InputException;

/** The LoRAs that a prompt names, as {@code <lora:NAME:WEIGHT>}, or {@code lyco} as A1111 called some. */
public final class LoraTags {
    private static final Pattern TAG = Pattern.compile("(?i)<(?:lora|lyco):([^<>:]*)(?::([^<>]*))?>");
    private static final Pattern HYPERNETWORK = Pattern.compile("(?i)<hypernet:[^<>]*>");

    private LoraTags() {
    }

    /**
     * The LoRAs of a prompt, in order.
     *
     * @param negativePrompt null for none
     * @param folder         where they are, or in a folder below; null where that is not said
     * @throws InputException when one is not there, the negative prompt names one, or the prompt a hypernetwork
     */
    public static List<Lora> loras(String prompt, String negativePrompt, Path folder) {
        Matcher unused = TAG.matcher(negativePrompt == null ? "" : negativePrompt);
        if (unused.find()) {
            throw new InputException("the negative prompt names a LoRA, " + unused.group()
                    + ", which only the prompt can; move it there, or leave it out");
        }
        Matcher other = HYPERNETWORK.matcher(prompt);
        if (other.find()) {
            throw new InputException("the prompt names a hypernetwork, " + other.group()
                    + ", which is not supported; leave it out");
        }
        List<Lora> loras = new ArrayList<>();
        Matcher tag = TAG.matcher(prompt);
        while (tag.find()) {
            loras.add(named(folder, tag.group(), tag.group(1).strip(), tag.group(2)));
        }
        return loras;
    }

    /** The prompt without the names of LoRAs in it. */
    public static String without(String prompt) {
        return TAG.matcher(prompt).replaceAll("");
    }

    /** A LoRA by its name in the prompt, with A1111's forms of weights. */
    private static Lora named(Path folder, String tag, String name, String weights) {
        if (folder == null) {
            throw new InputException("the prompt names a LoRA, " + tag + "; say with --lora-dir where it is");
        }
        float text = 1;
        Float picture = null;
        int place = 0;
        for (String part : weights == null ? new String[0] : weights.split(":", -1)) {
            int equals = part.indexOf('=');
            String key = equals >= 0 ? part.substring(0, equals).strip().toLowerCase(Locale.ROOT)
                    : place == 0 ? "te" : place == 1 ? "unet" : part;
            place += equals < 0 ? 1 : 0;
            switch (key) {
                case "te" -> text = number(tag, part.substring(equals + 1));
                case "unet" -> picture = number(tag, part.substring(equals + 1));
                default -> throw new InputException("the prompt's " + tag + " says '" + part + "', which is not known"
                        + " here; write <lora:NAME:0.8>, or <lora:NAME:1:0.5> with a weight for the text encoders and"
                        + " one for the denoiser");
            }
        }
        return new Lora(LoraFolder.find(folder, tag, name), picture == null ? text : picture, text);
    }

    private static float number(String tag, String text) {
        try {
            return Float.parseFloat(text.strip());
        } catch (NumberFormatException e) {
            throw new InputException("the prompt's " + tag + " has no number for its weight; write <lora:NAME:0.8>", e);
        }
    }
}
