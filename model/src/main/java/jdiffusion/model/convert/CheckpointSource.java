package jdiffusion.model.convert;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.quantize.Elements;
import jdiffusion.model.quantize.Stored;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Weights;

/** A user's checkpoint, of whatever layout. */
public final class CheckpointSource implements ExportSource {
    private final ModelFiles files;
    private final Map<Component, ModelFiles.Open> open = new EnumMap<>(Component.class);

    public CheckpointSource(ModelFiles files) {
        this.files = files;
    }

    @Override
    public Architecture architecture() {
        return files.architecture();
    }

    @Override
    public boolean has(Component component) {
        return files.has(component);
    }

    private ModelFiles.Open open(Component component) {
        return open.computeIfAbsent(component, files::open);
    }

    @Override
    public List<Outgoing> tensors(Component component) {
        return tensors(open(component).tensors());
    }

    static List<Outgoing> tensors(TensorSource source) {
        List<Outgoing> all = new ArrayList<>();
        for (String name : source.names()) {
            Tensor tensor = source.find(name);
            Weight weight = tensor == null ? source.weight(name) : null;
            if (tensor != null) {
                all.add(new Outgoing(name, name, tensor.shape(),
                        tensor.type().isFloat() ? Elements.of(tensor) : null, Stored.of(tensor)));
            } else if (weight != null) {
                Shape shape = source.shape(name);
                all.add(new Outgoing(name, name, shape, new Elements.OfWeight(shape, weight), Stored.of(weight)));
            }
        }
        if (!source.faults().isEmpty()) {
            throw new InputException(source.origin() + ": " + source.faults().size() + " tensor(s) cannot be read: "
                    + String.join("; ", source.faults().stream().limit(4).toList()));
        }
        return all;
    }

    /**
     * With all that the tensors say where the configuration is silent: single files have none, and this program takes
     * sizes from the tensors. Without what it says of quantisation, which the writer knows.
     */
    @Override
    public ObjectNode config(Component component) {
        ObjectNode config = ((ObjectNode) open(component).config().root()).deepCopy();
        config.remove("quantization_config");
        ModelFiles.Open opened = open(component);
        files.architecture().network(component)
                .described(Weights.of(opened.tensors(), Placement.onHost()), opened.config()).properties()
                .forEach(field -> config.putIfAbsent(field.getKey(), field.getValue()));
        return config;
    }

    @Override
    public VocabularyFile tokenizer(Component component) {
        return files.vocabulary(component);
    }

    @Override
    public ObjectNode scheduler() {
        return files.scheduler().write();
    }

    @Override
    public ObjectNode switches() {
        ObjectNode switches = JsonNodeFactory.instance.objectNode();
        files.index().root().properties().stream().filter(field -> field.getValue().isBoolean())
                .forEach(field -> switches.set(field.getKey(), field.getValue()));
        return switches;
    }

    @Override
    public ObjectNode generation() {
        JsonNode root = files.generationConfig().root();
        return root instanceof ObjectNode object ? object.deepCopy() : JsonNodeFactory.instance.objectNode();
    }

    @Override
    public void close() {
        open.values().forEach(ModelFiles.Open::close);
    }
}
