package jdiffusion.model.convert;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.tokenizer.VocabularyFile;

/** A model to be written: a checkpoint, or one that is made up. */
public interface ExportSource extends AutoCloseable {
    /** What it is a model of. */
    Architecture architecture();

    boolean has(Component component);

    /** Tensors under the names of the diffusers layout, to be read until this source is closed. */
    List<Outgoing> tensors(Component component);

    /** The component's config.json. */
    ObjectNode config(Component component);

    /** The vocabulary of a text encoder; null when there is none. */
    VocabularyFile tokenizer(Component component);

    /** The scheduler_config.json. */
    ObjectNode scheduler();

    /** What model_index.json says beside the components: the switches of its pipeline. */
    default ObjectNode switches() {
        return JsonNodeFactory.instance.objectNode();
    }

    /** The generation_config.json; empty for none. */
    ObjectNode generation();

    @Override
    void close();
}
