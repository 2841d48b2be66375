package jdiffusion.model.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.TensorSource;

/**
 * One component in a file of weights of any layout.
 *
 * @param part  its tensors there
 * @param alone whether the file holds nothing else, so that a configuration beside it may be its own
 */
record ComponentFile(Architecture architecture, Component component, Path file, Contents.Part part, boolean alone) {
    /**
     * Maps the file again, for this component alone.
     *
     * @throws InputException when it no longer can be opened, or its configuration cannot be used
     */
    ModelFiles.Open open() {
        WeightsFile opened = WeightsFile.open(file);
        try {
            TensorSource tensors = tensors(opened.tensors());
            return new Opened(opened, tensors, config(opened, part.all(opened.tensors())));
        } catch (RuntimeException | Error e) {
            opened.close();
            throw e;
        }
    }

    private record Opened(WeightsFile file, TensorSource tensors, ConfigFile config) implements ModelFiles.Open {
        @Override
        public void close() {
            file.close();
        }
    }

    /** The component under diffusers' names. */
    TensorSource tensors(TensorSource all) {
        return architecture.network(component).completed(part.weights(all));
    }

    /** The published models' values, and over them those in the file and those beside it. */
    private ConfigFile config(WeightsFile opened, TensorSource tensors) {
        ConfigFile derived = ConfigFile.of(file.toString(),
                architecture.network(component).derived(tensors));
        ObjectNode stored = StoredConfig.of(file, opened, architecture.format(component));
        ConfigFile beside = alone ? ConfigBeside.of(file, architecture.network(component), tensors) : null;
        if (stored == null && beside == null) {
            return derived;
        }
        ObjectNode merged = derived.root().deepCopy();
        if (stored != null) {
            merged.setAll(stored);
        }
        if (beside == null) {
            return ConfigFile.of(StoredConfig.origin(file), merged);
        }
        checkQuantisation(beside);
        beside.root().properties().forEach(field -> merged.set(field.getKey(), field.getValue()));
        return ConfigFile.of(beside.origin(), merged);
    }

    /** Fails when a configuration says that the weights are quantised in a way that is not read. */
    static void checkQuantisation(ConfigFile config) {
        JsonNode quantised = config.root().path("quantization_config");
        boolean known = quantised.path("quant_method").asText().equals("bitsandbytes")
                && quantised.path("load_in_4bit").asBoolean();
        if (!quantised.isMissingNode() && !quantised.isNull() && !known) {
            throw new UnsupportedModelException(config.origin() + ": the weights are quantised ("
                    + quantised.path("quant_method").asText("unknown method")
                    + "), which this version reads only in bitsandbytes' 4 bits; use such a model or an unquantised"
                    + " one");
        }
    }

    /** File and names, for people. */
    String describe() {
        return file.getFileName() + ", " + part.naming().label()
                + (part.prefix().isEmpty() ? "" : " under " + part.prefix());
    }
}
