package jdiffusion.model.quantize;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;

/**
 * Which matrix becomes which type. A rule is {@code TYPE} for denoiser and T5, {@code COMPONENT=TYPE}, or
 * {@code PATTERN=TYPE} with * and ? for the names of the diffusers layout; the last one that fits rules. Norms,
 * biases, tables, convolutions and the VAE are always kept; embedders and final layers, to which a picture is most
 * sensitive, unless a pattern names them.
 */
public record QuantizeRules(List<Rule> rules) {
    private static final String NONE = "none";

    public QuantizeRules {
        rules = List.copyOf(rules);
    }

    /**
     * One rule.
     *
     * @param component null for a pattern
     * @param pattern   null for a component
     * @param type      null to keep what fits
     * @param target    component or pattern as it was written
     */
    public record Rule(Component component, Pattern pattern, QuantType type, String target) {
    }

    /**
     * What becomes of a tensor.
     *
     * @param type   null when it is kept
     * @param reason why it is kept, else null
     */
    public record Decision(QuantType type, String reason) {
        static Decision kept(String reason) {
            return new Decision(null, reason);
        }
    }

    /** Reads rules with commas between. */
    public static QuantizeRules parse(String text) {
        List<Rule> rules = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            String rule = part.strip();
            int equals = rule.lastIndexOf('=');
            String label = rule.substring(equals + 1).strip().toLowerCase(Locale.ROOT);
            QuantType type = label.equals(NONE) ? null : QuantType.of(label);
            String target = rule.substring(0, Math.max(equals, 0)).strip();
            if (equals < 0) {
                rules.add(new Rule(Component.DENOISER, null, type, target));
                rules.add(new Rule(Component.T5, null, type, target));
            } else if (target.matches(".*[.*?].*")) {
                rules.add(new Rule(null, glob(target), type, target));
            } else {
                rules.add(new Rule(component(target), null, type, target));
            }
        }
        return new QuantizeRules(rules);
    }

    private static Pattern glob(String text) {
        return Pattern.compile(text.chars().mapToObj(c -> switch (c) {
            case '*' -> ".*";
            case '?' -> ".";
            default -> Pattern.quote(Character.toString(c));
        }).collect(Collectors.joining()));
    }

    private static Component component(String label) {
        Component component = Component.ofOption(label);
        if (component == null) {
            throw new InputException("'" + InputException.shown(label) + "' is no component to quantise; use denoiser,"
                    + " t5, clip-l or clip-g, or a pattern of tensor names with *");
        }
        if (component == Component.VAE) {
            throw new InputException("the VAE is not quantised: it is convolutions, and small; leave vae out");
        }
        return component;
    }

    /** The first pattern that fits no tensor of a model, as it was written; null when all fit one. */
    public String idle(ModelFiles files) {
        List<Rule> left = new ArrayList<>(rules.stream().filter(rule -> rule.pattern != null).toList());
        for (Component component : Component.values()) {
            if (!left.isEmpty() && files.has(component)) {
                try (ModelFiles.Open open = files.inspect(component)) {
                    left.removeIf(rule -> open.tensors().names().stream()
                            .anyMatch(name -> rule.pattern.matcher(name).matches()));
                }
            }
        }
        return left.isEmpty() ? null : left.getFirst().target;
    }

    /** What becomes of a tensor of that name and shape. */
    public Decision decide(Architecture architecture, Component component, String name, Shape shape) {
        Rule fits = null;
        for (Rule rule : rules) {
            if (rule.pattern == null ? rule.component == component : rule.pattern.matcher(name).matches()) {
                fits = rule;
            }
        }
        String never = neverQuantised(component, name, shape);
        if (never != null) {
            return Decision.kept(never);
        }
        if (fits == null || fits.type == null) {
            return Decision.kept("no rule asks for it");
        }
        String kept = fits.pattern == null ? architecture.network(component).sensitive(name) : null;
        if (kept != null) {
            return Decision.kept(kept);
        }
        int block = fits.type.blockSize();
        if (shape.cols() % block != 0) {
            return Decision.kept("rows of " + shape.cols() + " are not whole blocks of " + block);
        }
        return new Decision(fits.type, null);
    }

    private static String neverQuantised(Component component, String name, Shape shape) {
        if (component == Component.VAE) {
            return "VAE";
        }
        if (name.contains("pos_embed.") || name.contains("position_embedding")) {
            return shape.rank() == 4 ? "patch embedding" : shape.rank() == 1 ? "bias" : "positions";
        }
        if (shape.rank() != 2) {
            return name.endsWith(".bias") ? "bias" : shape.rank() == 4 ? "convolution" : "norm";
        }
        return name.contains("relative_attention_bias") ? "positions"
                : name.contains("token_embedding") || name.equals("shared.weight") || name.contains("embed_tokens")
                ? "token table" : null;
    }
}
