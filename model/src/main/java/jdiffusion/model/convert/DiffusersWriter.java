package jdiffusion.model.convert;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ComponentFormat;
import jdiffusion.model.quantize.Stored;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/** The files of a model that are not weights. */
final class DiffusersWriter {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String CONFIG = "tokenizer_config.json";
    private static final String SPECIAL = "special_tokens_map.json";
    private static final int LARGEST_SETTINGS = 4 << 20;
    private static final List<String> SETTINGS = List.of(CONFIG, SPECIAL, "added_tokens.json");

    private final ExportSource source;
    private final Path root;

    DiffusersWriter(ExportSource source, Path root) {
        this.source = source;
        this.root = root;
    }

    /** model_index.json, which says what is there, the scheduler and the wishes for sampling. */
    void writeIndex(Set<Component> components) {
        ObjectNode index = JsonNodeFactory.instance.objectNode().put("_class_name", source.architecture().pipeline())
                .put("_diffusers_version", "0.32.0");
        index.putArray("scheduler").add("diffusers").add(source.scheduler().path("_class_name").asText());
        for (ComponentFormat format : source.architecture().formats()) {
            Component component = format.component();
            ArrayNode entry = index.putArray(format.folder());
            ArrayNode tokenizer = format.tokenizer() == null ? null : index.putArray(format.tokenizer());
            String library = format.tokenizer() == null ? "diffusers" : "transformers";
            boolean there = components.contains(component);
            entry.add(there ? library : null).add(there ? format.network().className() : null);
            if (tokenizer != null) {
                tokenizer.add(there ? library : null).add(there ? component == Component.T5 ? "T5TokenizerFast"
                        : "CLIPTokenizer" : null);
            }
        }
        index.setAll(source.switches());
        write(root.resolve("model_index.json"), index);
        writeScheduler();
        ObjectNode generation = source.generation();
        if (!generation.isEmpty()) {
            write(root.resolve("generation_config.json"), generation);
        }
    }

    void writeScheduler() {
        write(folder("scheduler").resolve("scheduler_config.json"), source.scheduler());
    }

    /** config.json; with 4-bit matrices it says so, in the words of bitsandbytes. */
    void writeConfig(Component component, List<Outgoing> tensors) {
        ObjectNode config = source.config(component);
        Stored.FourBit fourBit = tensors.stream().map(Outgoing::stored).filter(Stored.FourBit.class::isInstance)
                .map(Stored.FourBit.class::cast).findFirst().orElse(null);
        if (fourBit != null) {
            ObjectNode quantisation = config.putObject("quantization_config").put("quant_method", "bitsandbytes")
                    .put("load_in_4bit", true).put("load_in_8bit", false).put("bnb_4bit_quant_type", fourBit.kind())
                    .put("bnb_4bit_use_double_quant", fourBit.nested() != null)
                    .put("bnb_4bit_compute_dtype", "bfloat16").put("bnb_4bit_quant_storage", "uint8");
            ArrayNode kept = quantisation.putArray("llm_int8_skip_modules");
            tensors.stream().filter(t -> t.shape().rank() == 2 && !(t.stored() instanceof Stored.FourBit)
                    && t.name().endsWith(".weight")).map(t -> t.name().replaceFirst("\\.weight$", ""))
                    .forEach(kept::add);
        }
        write(folder(source.architecture().folder(component)).resolve("config.json"), config);
    }

    /** Copies the files of an encoder's tokenizer. */
    void writeTokenizer(Component component, ExportProgress progress) {
        String folder = source.architecture().tokenizerFolder(component);
        if (folder == null) {
            return;
        }
        VocabularyFile from = source.tokenizer(component);
        if (from == null) {
            progress.note("no tokenizer of " + component.label() + " was found; put its files into "
                    + folder);
            return;
        }
        Path to = folder(folder);
        from.contents().forEach((name, bytes) -> write(to.resolve(name), bytes));
        if (from.hasSettings(source.architecture().tokenizerKind(component))) {
            for (String name : SETTINGS) {
                Path file = from.path().resolve(name);
                if (InputFile.isThere(file)) {
                    write(to.resolve(name), InputFile.bytes(file, LARGEST_SETTINGS, "a tokenizer's settings"));
                }
            }
        }
        if (component != Component.T5 && !from.path().endsWith(folder)) {
            String pad = component == Component.CLIP_L ? "<|endoftext|>" : "!";
            write(to.resolve(CONFIG), padding(to.resolve(CONFIG), pad));
            if (Files.exists(to.resolve(SPECIAL))) {
                write(to.resolve(SPECIAL), padding(to.resolve(SPECIAL), pad));
            }
        }
    }

    /** The settings of a tokenizer that was another encoder's: the CLIPs share a vocabulary, but pad differently. */
    private static ObjectNode padding(Path file, String pad) {
        try {
            JsonNode json = Files.exists(file) ? JSON.readTree(file.toFile()) : null;
            ObjectNode settings = json instanceof ObjectNode object
                    && object.path("tokenizer_class").asText("CLIP").startsWith("CLIP") ? object
                    : JsonNodeFactory.instance.objectNode();
            return settings.put("pad_token", pad);
        } catch (IOException e) {
            throw new InputException(file.getFileName() + " of the tokenizer cannot be read: " + e.getMessage(), e);
        }
    }

    private Path folder(String name) {
        try {
            return Files.createDirectories(root.resolve(name));
        } catch (IOException e) {
            throw unwritable(root.resolve(name), e);
        }
    }

    private static void write(Path file, ObjectNode json) {
        try {
            write(file, (JSON.writerWithDefaultPrettyPrinter().writeValueAsString(json) + "\n")
                    .getBytes(StandardCharsets.UTF_8));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void write(Path file, byte[] bytes) {
        try {
            Files.write(file, bytes);
        } catch (IOException e) {
            throw unwritable(file, e);
        }
    }

    private static InputException unwritable(Path file, IOException e) {
        return new InputException(file + ": cannot be written (" + e.getMessage() + "); make room or name another"
                + " place", e);
    }
}
