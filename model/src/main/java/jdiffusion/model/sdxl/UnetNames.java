package jdiffusion.model.sdxl;

import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableSet;
import java.util.TreeSet;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.Naming;

/**
 * The UNet as Stability publishes it: the halves are flat lists of blocks, in which each residual block, with the
 * transformer behind it, and each change of resolution has a number. How many of them a level has, and which levels
 * have transformers, is told by the names alone. Source: Stability's generative-models, and the conversion script of
 * diffusers.
 */
final class UnetNames implements Naming {
    private static final Map<String, String> LAYERS = Map.of("input_blocks.0.0", "conv_in",
            "time_embed.0", "time_embedding.linear_1", "time_embed.2", "time_embedding.linear_2",
            "label_emb.0.0", "add_embedding.linear_1", "label_emb.0.2", "add_embedding.linear_2",
            "middle_block.1", "mid_block.attentions.0", "out.0", "conv_norm_out", "out.2", "conv_out");
    /** Layers of a residual block. */
    private static final Map<String, String> RESNET = Map.of("in_layers.0", "norm1", "in_layers.2", "conv1",
            "emb_layers.1", "time_emb_proj", "out_layers.0", "norm2", "out_layers.3", "conv2",
            "skip_connection", "conv_shortcut");

    @Override
    public String label() {
        return "Stability's names";
    }

    @Override
    public List<Mapped> fromOriginal(Collection<String> originals) {
        Map<String, String> modules = ofOriginals(new TreeSet<>(originals));
        return originals.stream().map(original -> Mapped.plain(original, renamed(original, modules))).toList();
    }

    @Override
    public List<Mapped> toOriginal(Collection<String> names) {
        Map<String, String> modules = new HashMap<>();
        ofNames(new TreeSet<>(names)).forEach((original, name) -> modules.put(name, original));
        return names.stream().map(name -> Mapped.plain(renamed(name, modules), name)).toList();
    }

    /** The name with its module, which is all before one of its dots, replaced. */
    private static String renamed(String name, Map<String, String> modules) {
        for (int dot = name.lastIndexOf('.'); dot > 0; dot = name.lastIndexOf('.', dot - 1)) {
            String module = modules.get(name.substring(0, dot));
            if (module != null) {
                return module + name.substring(dot);
            }
        }
        return name;
    }

    /** All modules by the publisher's names, told by these. */
    private static Map<String, String> ofOriginals(NavigableSet<String> originals) {
        Map<String, String> modules = common();
        int level = 0;
        int layer = 0;
        for (int n = 1; has(originals, "input_blocks." + n); n++) {
            String block = "input_blocks." + n;
            String down = "down_blocks." + level;
            if (has(originals, block + ".0.op")) {
                modules.put(block + ".0.op", down + ".downsamplers.0.conv");
                level++;
                layer = 0;
            } else {
                addLayer(modules, block, down, layer++);
            }
        }
        level = 0;
        layer = 0;
        for (int n = 0; has(originals, "output_blocks." + n); n++) {
            String block = "output_blocks." + n;
            String up = "up_blocks." + level;
            addLayer(modules, block, up, layer++);
            for (String conv : List.of(block + ".1.conv", block + ".2.conv")) {
                if (has(originals, conv)) {
                    modules.put(conv, up + ".upsamplers.0.conv");
                    level++;
                    layer = 0;
                }
            }
        }
        return modules;
    }

    /** The same, told by diffusers' names. */
    private static Map<String, String> ofNames(NavigableSet<String> names) {
        Map<String, String> modules = common();
        int n = 1;
        for (int level = 0; has(names, "down_blocks." + level); level++) {
            String down = "down_blocks." + level;
            for (int layer = 0; has(names, down + ".resnets." + layer); layer++) {
                addLayer(modules, "input_blocks." + n++, down, layer);
            }
            if (has(names, down + ".downsamplers.0")) {
                modules.put("input_blocks." + n++ + ".0.op", down + ".downsamplers.0.conv");
            }
        }
        n = 0;
        for (int level = 0; has(names, "up_blocks." + level); level++) {
            String up = "up_blocks." + level;
            for (int layer = 0; has(names, up + ".resnets." + layer); layer++) {
                addLayer(modules, "output_blocks." + n++, up, layer);
            }
            // Behind the last residual block, and its transformer where the level has some.
            modules.put("output_blocks." + (n - 1) + (has(names, up + ".attentions") ? ".2.conv" : ".1.conv"),
                    up + ".upsamplers.0.conv");
        }
        return modules;
    }

    /** Those whose names have no numbers of levels in them. */
    private static Map<String, String> common() {
        Map<String, String> modules = new HashMap<>(LAYERS);
        addResnet(modules, "middle_block.0", "mid_block.resnets.0");
        addResnet(modules, "middle_block.2", "mid_block.resnets.1");
        return modules;
    }

    /** A residual block and the transformer behind it, whose layers have the same names in both layouts. */
    private static void addLayer(Map<String, String> modules, String block, String level, int layer) {
        addResnet(modules, block + ".0", level + ".resnets." + layer);
        modules.put(block + ".1", level + ".attentions." + layer);
    }

    private static void addResnet(Map<String, String> modules, String original, String name) {
        RESNET.forEach((theirs, ours) -> modules.put(original + "." + theirs, name + "." + ours));
    }

    private static boolean has(NavigableSet<String> names, String module) {
        String next = names.ceiling(module + ".");
        return next != null && next.startsWith(module + ".");
    }
}
