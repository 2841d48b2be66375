package jdiffusion.model.convert;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Network;
import jdiffusion.model.checkpoint.StoredConfig;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.quantize.QuantizeRules;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import jdiffusion.tensor.safetensors.SafetensorsWriter;
import jdiffusion.tensor.safetensors.SafetensorsWriter.Entry;

/** Writes models: each layout that is read, whole or not at all. */
public final class Exporter {
    private static final Map<String, String> METADATA = Map.of("format", "pt");

    private final ExportSource source;
    private final ExportOptions options;
    private final ExportProgress progress;
    private final Map<String, Integer> made = new TreeMap<>();

    public Exporter(ExportSource source, ExportOptions options, ExportProgress progress) {
        this.source = source;
        this.options = options;
        this.progress = progress;
    }

    /** A new folder in the diffusers layout. */
    public void writeDiffusers(Path folder) {
        OutputFile.checkFree(folder);
        Map<Component, List<Outgoing>> parts = parts(Format.DIFFUSERS);
        start(parts);
        OutputFile.writeFolder(folder, temporary -> {
            DiffusersWriter writer = new DiffusersWriter(source, temporary);
            writer.writeIndex(parts.keySet());
            parts.forEach((component, tensors) -> {
                writer.writeConfig(component, tensors);
                SafetensorsWriter.writeShards(temporary.resolve(source.architecture().folder(component)),
                        component.weights(),
                        SafetensorsParts.of(tensors, ""), METADATA, options.largestFile(), progress::written);
                writer.writeTokenizer(component, progress);
            });
        });
    }

    /**
     * A new folder as its publisher has it: denoiser and VAE in one file or in two, each encoder in its own or in that
     * file too, tokenizers.
     */
    public void writeSingle(Path folder) {
        OutputFile.checkFree(folder);
        Map<Component, List<Outgoing>> parts = parts(Format.SINGLE);
        start(parts);
        OutputFile.writeFolder(folder, temporary -> {
            DiffusersWriter writer = new DiffusersWriter(source, temporary);
            Path name = folder.toAbsolutePath().normalize().getFileName();
            List<Component> inside = new ArrayList<>();
            List<Entry> main = new ArrayList<>();
            parts.forEach((component, tensors) -> {
                if (isInMain(component)) {
                    inside.add(component);
                    main.addAll(SafetensorsParts.of(tensors, prefix(Format.SINGLE, component)));
                } else {
                    write(temporary.resolve(fileOf(component)), SafetensorsParts.of(tensors, ""), List.of(component));
                }
                writer.writeTokenizer(component, progress);
            });
            if (!main.isEmpty()) {
                write(temporary.resolve(name + ".safetensors"), main, inside);
            }
            writer.writeScheduler();
        });
    }

    private boolean isInMain(Component component) {
        return component == Component.DENOISER || !source.architecture().isApart()
                && (!component.isEncoder() || source.architecture().isWhole());
    }

    private static String fileOf(Component component) {
        return switch (component) {
            case CLIP_L -> "clip_l.safetensors";
            case CLIP_G -> "clip_g.safetensors";
            case T5 -> "t5xxl.safetensors";
            case VAE -> "ae.safetensors";
            case DENOISER -> throw new IllegalArgumentException(component + " has no file of its own");
        };
    }

    /** One safetensors file with all that is written, under the names that its publisher or ComfyUI gives them. */
    public void writeFile(Path file) {
        OutputFile.checkFile(file);
        Map<Component, List<Outgoing>> parts = parts(Format.ALL_IN_ONE);
        start(parts);
        List<Entry> all = new ArrayList<>();
        parts.forEach((component, tensors) ->
                all.addAll(SafetensorsParts.of(tensors, prefix(Format.ALL_IN_ONE, component))));
        write(file, all, parts.keySet());
    }

    /** The denoiser alone in a GGUF file, under its publisher's names. */
    public void writeGguf(Path file) {
        OutputFile.checkFile(file);
        Map<Component, List<Outgoing>> parts = parts(Format.GGUF);
        start(parts);
        GgufParts.write(file, source.architecture().ggufName(), parts.get(Component.DENOISER),
                config(parts.keySet()), progress::written);
    }

    private void write(Path file, List<Entry> entries, Collection<Component> components) {
        Map<String, String> metadata = new TreeMap<>(METADATA);
        metadata.put(StoredConfig.KEY, config(components));
        SafetensorsWriter.write(file, entries, metadata, progress::written);
    }

    /** What the shapes of these components do not say. */
    private String config(Collection<Component> components) {
        ObjectNode config = JsonNodeFactory.instance.objectNode();
        for (Component component : components) {
            config.set(source.architecture().folder(component),
                    StoredConfig.kept(source.architecture().network(component), source.config(component)));
        }
        if (components.contains(Component.DENOISER)) {
            config.set(StoredConfig.SCHEDULER, source.scheduler());
            config.set(StoredConfig.GENERATION, source.generation());
            if (!source.switches().isEmpty()) {
                config.set(StoredConfig.SWITCHES, source.switches());
            }
        }
        return config.toString();
    }

    /** Where tensors go, and what that asks of them. */
    private enum Format {
        DIFFUSERS, SINGLE, ALL_IN_ONE, GGUF;

        boolean takes(Stored stored) {
            return this == GGUF ? GgufParts.takes(stored) : SafetensorsParts.takes(stored);
        }

        String label() {
            return this == GGUF ? "GGUF" : "safetensors";
        }
    }

    private Naming naming(Format format, Component component) {
        return format == Format.DIFFUSERS ? Naming.DIFFUSERS : source.architecture().network(component).original();
    }

    private String prefix(Format format, Component component) {
        boolean apart = source.architecture().isApart() && (format == Format.SINGLE || isAlone());
        boolean bare = format == Format.DIFFUSERS || format == Format.GGUF || apart
                || format == Format.SINGLE && !isInMain(component);
        return bare ? "" : source.architecture().prefix(component, source.architecture().components().stream()
                .filter(source::has).collect(Collectors.toSet()));
    }

    /** Whether one component is written. */
    private boolean isAlone() {
        return options.components().stream().filter(source::has).count() == 1;
    }

    private Map<Component, List<Outgoing>> parts(Format format) {
        Map<Component, List<Outgoing>> parts = new EnumMap<>(Component.class);
        for (Component component : source.architecture().components()) {
            if (source.has(component) && options.components().contains(component)) {
                List<Outgoing> tensors = new ArrayList<>(Relayout.of(source.tensors(component),
                        naming(format, component), prefix(format, component), format == Format.GGUF));
                if (format == Format.SINGLE || format == Format.ALL_IN_ONE) {
                    tensors.addAll(outside(component, prefix(format, component)));
                }
                parts.put(component, tensors.stream().map(t -> finished(component, t, format)).toList());
            }
        }
        if (parts.isEmpty()) {
            throw new InputException("the model has none of the components that were asked for");
        }
        made.forEach((what, count) -> progress.note(count + (count == 1 ? " matrix" : " matrices") + " stored as "
                + what));
        return parts;
    }

    /**
     * What tensors that are no weights say of it in files of other layouts.
     *
     * @param prefix of its weights
     */
    private List<Outgoing> outside(Component component, String prefix) {
        String folder = source.architecture().folder(component);
        Network network = source.architecture().network(component);
        String before = network.isPrefixedOutside() ? prefix : "";
        return network.outside(ConfigFile.of(folder, source.config(component))).entrySet().stream()
                .map(entry -> new Outgoing(before + entry.getKey(), entry.getKey(), entry.getValue().shape(), null,
                        Stored.of(entry.getValue()))).toList();
    }

    /** The tensor as it is going to be stored. */
    private Outgoing finished(Component component, Outgoing tensor, Format format) {
        Outgoing out = tensor;
        QuantizeRules.Decision decision = options.quantize() == null || tensor.elements() == null ? null
                : options.quantize().decide(source.architecture(), component, tensor.ours(), tensor.shape());
        if (decision != null && decision.type() != null) {
            if (out.stored() == null || !decision.type().is(out.stored())) {
                out = out.with(decision.type().quantise(tensor.elements()));
            }
            if (!format.takes(out.stored())) {
                throw new InputException(format.label() + " files have no " + decision.type().label() + ", to which "
                        + tensor.name() + " is to be quantised; " + (format == Format.GGUF
                        ? "use q8_0 or q4_0, or write safetensors" : "use nf4, fp4 or fp8, or write a .gguf file"));
            }
            return out;
        }
        if (options.type() != null && out.stored() instanceof Stored.Plain) {
            return out.as(options.type());
        }
        if (out.stored() == null || !format.takes(out.stored())) {
            DType type = options.type() != null ? options.type() : DType.BF16;
            made.merge(type.name().toLowerCase(Locale.ROOT) + ", as " + (out.stored() == null
                    ? "what is joined of parts in the other layout is made anew" : format.label() + " files have no "
                    + out.stored().label()), 1, Integer::sum);
            return out.as(type);
        }
        return out;
    }

    private void start(Map<Component, List<Outgoing>> parts) {
        progress.started(parts.values().stream().flatMap(List::stream).mapToLong(t -> t.stored().byteSize()).sum());
    }
}
