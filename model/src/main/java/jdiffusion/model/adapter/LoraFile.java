package jdiffusion.model.adapter;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.LeftAside;
import jdiffusion.model.checkpoint.names.Wrappers;
import jdiffusion.tensor.Delta;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/** A LoRA's file, mapped until it is closed, its tensors grouped by the modules that they change. */
final class LoraFile implements AutoCloseable {
    private static final int MOST_SHOWN = 4;
    private static final Pattern BUNDLED = Pattern.compile("bundle_emb\\.(.+)\\.[^.]+");
    private static final String NORMS = "_norm.scale";
    private static final String NORM = "query" + NORMS;
    private static final String LAST_MODULATION = "final_layer.adaLN_modulation.1";

    private final SafetensorsFile file;
    private final LoraSettings settings;
    private final Map<String, LoraModule> modules = new TreeMap<>();
    private final List<String> strangers = new ArrayList<>();
    private int ofTraining;
    /** Words of textual inversions that come along. */
    private final Set<String> words = new TreeSet<>();

    private LoraFile(SafetensorsFile file, LoraSettings settings) {
        this.file = file;
        this.settings = settings;
    }

    static LoraFile open(Lora lora) {
        Path path = lora.weights();
        SafetensorsFile file = SafetensorsFile.open(path);
        boolean opened = false;
        try {
            // Norms alone are a change of a model, and the model's own where other weights are with them.
            if (file.names().stream().noneMatch(LoraKey::isAdapter)
                    && !file.names().stream().allMatch(name -> name.endsWith(NORMS))) {
                throw new InputException(path + ": holds nothing of a LoRA; its tensors are "
                        + file.names().stream().limit(MOST_SHOWN).map(InputException::shown)
                                .collect(Collectors.joining(", ")) + (file.names().size() > MOST_SHOWN ? ", ..." : "")
                        + "; is it a model (--model), or a textual inversion (--embeddings-dir)?");
            }
            LoraFile read = new LoraFile(file, LoraSettings.read(path, file.metadata()));
            file.names().forEach(read::add);
            read.asDiffusersReadsIt();
            opened = true;
            return read;
        } finally {
            if (!opened) {
                file.close();
            }
        }
    }

    /**
     * With a file that brings norms, as Black Forest Labs write them, diffusers exchanges the halves of both factors
     * of the last modulation and not of the second alone. The same file should draw the same picture here.
     */
    private void asDiffusersReadsIt() {
        if (strangers.stream().anyMatch(name -> name.endsWith(NORM))) {
            modules.values().stream().filter(module -> module.name().endsWith(LAST_MODULATION))
                    .forEach(LoraModule::exchangeDown);
        }
    }

    private void add(String name) {
        Matcher bundled = BUNDLED.matcher(name);
        if (bundled.matches()) {
            words.add(bundled.group(1));
            return;
        }
        String unsupported = LoraKey.unsupported(name);
        if (unsupported != null) {
            throw new InputException(file.origin() + ": " + InputException.shown(name) + " belongs to " + unsupported
                    + ", which is not supported; LoRA, LoHa and LoKr are");
        }
        LoraKey key = LoraKey.of(name);
        if (key != null) {
            modules.computeIfAbsent(Wrappers.withoutFlat(Wrappers.without(key.module())),
                    module -> new LoraModule(file.origin(), module)).put(key.part(), name, file.find(name));
        } else if (LeftAside.isTraining(name)) {
            ofTraining++;
        } else {
            strangers.add(name);
        }
    }

    /** What of the file has no effect. */
    List<String> notes() {
        List<String> notes = new ArrayList<>(settings.idle(modules.keySet()));
        if (!words.isEmpty()) {
            notes.add(origin() + ": textual inversions that come along (bundle_emb) are left aside: "
                    + words.stream().limit(MOST_SHOWN).map(InputException::shown).collect(Collectors.joining(", "))
                    + (words.size() > MOST_SHOWN ? ", ..." : "") + "; in a prompt they are plain words");
        }
        if (ofTraining > 0) {
            notes.add(origin() + ": " + ofTraining + " tensor(s) that training left are left aside");
        }
        return notes;
    }

    String origin() {
        return file.origin();
    }

    Collection<LoraModule> modules() {
        return modules.values();
    }

    LoraModule module(String name) {
        return modules.get(name);
    }

    /** Tensors whose names say nothing. */
    List<String> strangers() {
        return strangers;
    }

    Delta delta(LoraModule module) {
        return module.delta(settings);
    }

    /** A tensor whose name says nothing. */
    Tensor stranger(String name) {
        return file.find(name);
    }

    /** What is added to the layer's bias; null for nothing. */
    float[] bias(LoraModule module, LoraTargets.Target target) {
        return module.bias(settings, target);
    }

    /** DoRA's; null for none. */
    Magnitude magnitude(LoraModule module, LoraTargets.Target target) {
        return module.magnitude(settings, target);
    }

    @Override
    public void close() {
        file.close();
    }
}
