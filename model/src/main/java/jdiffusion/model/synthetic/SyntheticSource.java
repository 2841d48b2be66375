package jdiffusion.model.synthetic;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.convert.ExportSource;
import jdiffusion.model.convert.Outgoing;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.tensor.DType;

/**
 * A synthetic checkpoint to be written.
 *
 * @param tokenizers folder with those of the encoders, in folders with names of the diffusers layout
 */
public record SyntheticSource(SyntheticModel model, long seed, DType type, Path tokenizers) implements ExportSource {
    @Override
    public Architecture architecture() {
        return model.architecture();
    }

    @Override
    public boolean has(Component component) {
        return model.parts().containsKey(component);
    }

    @Override
    public List<Outgoing> tensors(Component component) {
        return model.tensors(component, seed, type);
    }

    @Override
    public ObjectNode config(Component component) {
        return model.config(component);
    }

    @Override
    public VocabularyFile tokenizer(Component component) {
        return new Borrowed(tokenizers, model.architecture()).vocabulary(component);
    }

    @Override
    public ObjectNode scheduler() {
        return model.scheduler().write();
    }

    @Override
    public ObjectNode generation() {
        return JsonNodeFactory.instance.objectNode();
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
