package jdiffusion.model.adapter;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.model.JsonTree;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * Alphas that a file does not store as tensors: diffusers writes PEFT's configuration into the header's
 * {@code lora_adapter_metadata}, for each component under its folder's name, and PEFT itself into
 * {@code adapter_config.json} beside the file. Where there is neither, alpha is the rank.
 */
final class LoraSettings {
    private static final String METADATA = "lora_adapter_metadata";
    private static final String CONFIG = "adapter_config.json";
    /** Files that a configuration beside them belongs to, even if there are others. */
    private static final List<String> OWNERS = List.of("adapter_model", "pytorch_lora_weights");
    private static final String[] COMPONENTS = {"text_encoder_2.", "text_encoder_3.", "text_encoder.", "transformer.",
        "unet."};
    private static final List<String> OUTER = List.of("base_model.model.", "base_model.");
    /** Ways to begin a LoRA's training that change the weights beside it. */
    private static final Pattern CHANGES_BASE = Pattern.compile("(?i)pissa|olora|corda|loftq");
    private static final Set<String> KINDS = Set.of("LORA", "LOHA", "LOKR");
    private static final int MOST_SHOWN = 4;

    private final JsonNode root;
    private final String origin;
    /** The alphas of some modules, by the component's prefix, in the file's order. */
    private final Map<String, List<AlphaPattern>> patterns = new HashMap<>();

    private LoraSettings(JsonNode root, String origin) {
        this.root = root;
        this.origin = origin;
    }

    static LoraSettings read(Path file, Map<String, String> metadata) {
        String text = metadata.get(METADATA);
        JsonNode stored = text == null ? null
                : JsonTree.readPython(text.getBytes(StandardCharsets.UTF_8), file + ": " + METADATA);
        if (text != null && (stored == null || !stored.isObject() && !stored.isNull())) {
            throw new InputException(file + ": " + METADATA + " is not a JSON object");
        }
        if (stored != null && stored.isObject()) {
            return new LoraSettings(stored, file + ", " + METADATA);
        }
        Path config = file.resolveSibling(CONFIG);
        ConfigFile read = InputFile.isThere(config) && isOf(file) ? ConfigFile.read(config)
                : ConfigFile.empty(config.toString());
        return new LoraSettings(read.root(), config.toString());
    }

    /** Whether a configuration beside a file is this file's. */
    private static boolean isOf(Path file) {
        Path folder = file.toAbsolutePath().getParent();
        return OWNERS.stream().anyMatch(file.getFileName().toString()::startsWith)
                || folder != null && Lora.files(folder).size() == 1;
    }

    /** alpha / rank, or with PEFT's rsLoRA alpha / sqrt(rank); 1 when nothing is said. */
    double scale(String module, int rank) {
        String prefix = prefix(module);
        JsonNode alpha = root.path(prefix + "lora_alpha");
        // LoHa and LoKr have another name for it.
        alpha = alpha.isMissingNode() ? root.path(prefix + "alpha") : alpha;
        List<String> names = names(module, prefix);
        for (AlphaPattern pattern : patterns(prefix)) {
            if (names.stream().anyMatch(pattern::fits)) {
                alpha = pattern.alpha();
                break;
            }
        }
        String kind = root.path(prefix + "peft_type").asText("LORA");
        if (!KINDS.contains(kind)) {
            throw new InputException(origin + ": says that this is PEFT's " + InputException.shown(kind)
                    + ", which is not supported; LoRA, LoHa and LoKr are");
        }
        String start = root.path(prefix + "init_lora_weights").asText("");
        if (CHANGES_BASE.matcher(start).lookingAt()) {
            throw new InputException(origin + ": says that training began with " + InputException.shown(start)
                    + ", which takes a part out of the model first; convert the file for the model as it was"
                    + " published (PEFT's path_initial_model_for_weight_conversion)");
        }
        if (alpha.isMissingNode() || alpha.isNull()) {
            return 1;
        }
        if (!alpha.isNumber() || !Float.isFinite(alpha.floatValue())) {
            throw new InputException(origin + ": the alpha of " + InputException.shown(module) + " is "
                    + InputException.shown(alpha.toString()) + ", not a number");
        }
        return alpha.doubleValue() / (root.path(prefix + "use_rslora").asBoolean() ? Math.sqrt(rank) : rank);
    }

    /** @throws InputException when a module without DoRA's magnitude is said to have one */
    void checkPlain(String module) {
        if (root.path(prefix(module) + "use_dora").asBoolean()) {
            throw new InputException(origin + ": says that this is DoRA, but " + InputException.shown(module)
                    + " has no magnitude; the file is not whole, download it again");
        }
    }

    /** What a component's fields begin with; empty where the file is of one component. */
    private String prefix(String module) {
        String inner = inner(module);
        for (String component : COMPONENTS) {
            if (inner.startsWith(component)
                    && root.properties().stream().anyMatch(field -> field.getKey().startsWith(component))) {
                return component;
            }
        }
        return "";
    }

    private static String inner(String module) {
        for (String name = module; name != null; name = LoraNames.behindWord(name)) {
            if (Stream.of(COMPONENTS).anyMatch(name::startsWith)) {
                return name;
            }
        }
        return OUTER.stream().filter(module::startsWith).findFirst().map(outer -> module.substring(outer.length()))
                .orElse(module);
    }

    /** What PEFT may have called a module in the network that it was told to adapt. */
    private static List<String> names(String module, String prefix) {
        Set<String> names = new LinkedHashSet<>(List.of(inner(module).substring(prefix.length()), inner(module)));
        for (String component : COMPONENTS) {
            if (inner(module).startsWith(component)) {
                names.add(inner(module).substring(component.length()));
            }
        }
        return List.copyOf(names);
    }

    private List<AlphaPattern> patterns(String prefix) {
        return patterns.computeIfAbsent(prefix, _ -> {
            List<AlphaPattern> all = new ArrayList<>();
            root.path(prefix + "alpha_pattern").properties()
                    .forEach(field -> all.add(AlphaPattern.of(field.getKey(), field.getValue())));
            return all;
        });
    }

    /** Keys of {@code alpha_pattern} that say nothing about any of the modules, for the user. */
    List<String> idle(Collection<String> modules) {
        Map<String, List<List<String>>> byPrefix = new HashMap<>();
        modules.forEach(module -> byPrefix.computeIfAbsent(prefix(module), _ -> new ArrayList<>())
                .add(names(module, prefix(module))));
        List<String> unused = new ArrayList<>();
        for (String prefix : prefixes()) {
            List<List<String>> names = byPrefix.getOrDefault(prefix, List.of());
            for (AlphaPattern pattern : patterns(prefix)) {
                if (names.stream().noneMatch(module -> module.stream().anyMatch(pattern::fits))) {
                    unused.add(InputException.shown(pattern.key()) + (pattern.fault() == null ? ""
                            : " (no regular expression: " + InputException.shown(pattern.fault()) + ")"));
                }
            }
        }
        return unused.isEmpty() ? List.of() : List.of(origin + ": " + unused.size()
                + " key(s) of alpha_pattern fit none of the file's modules: "
                + unused.stream().limit(MOST_SHOWN).collect(Collectors.joining(", "))
                + (unused.size() > MOST_SHOWN ? ", ..." : ""));
    }

    private List<String> prefixes() {
        List<String> all = new ArrayList<>(List.of(COMPONENTS));
        all.add("");
        return all;
    }
}
