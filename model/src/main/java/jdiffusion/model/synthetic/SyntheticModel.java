package jdiffusion.model.synthetic;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.convert.Outgoing;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.tensor.DType;

/**
 * A checkpoint of the shapes of a published one, or small ones of the same structure, with random weights: for tests
 * and benchmarks. The same seed gives the same numbers.
 *
 * @param parts sizes of the architecture's components
 */
public record SyntheticModel(Architecture architecture, Map<Component, NetworkSizes> parts,
                             NoiseScheduler scheduler) {
    /**
     * Rows of the token tables.
     *
     * @param clipL of CLIP-L
     * @param clipG of CLIP-G
     * @param t5    of T5 or its kin
     */
    public record Vocabularies(int clipL, int clipG, int t5) {
        /** Those of the published models. */
        public static final Vocabularies PUBLISHED = new Vocabularies(49408, 49408, 32128);
    }

    public SyntheticModel {
        parts = Map.copyOf(parts);
    }

    public NetworkSizes sizes(Component component) {
        return parts.get(component);
    }

    /** The same with other sizes of a component. */
    public SyntheticModel with(Component component, NetworkSizes sizes) {
        Map<Component, NetworkSizes> changed = new EnumMap<>(parts);
        changed.put(component, sizes);
        return new SyntheticModel(architecture, changed, scheduler);
    }

    /** The component's config.json. */
    public ObjectNode config(Component component) {
        return parts.get(component).config();
    }

    /** The component's tensors under the names of the diffusers layout. */
    public List<Outgoing> tensors(Component component, long seed, DType type) {
        TensorList list = new TensorList(architecture.folder(component), seed, type);
        parts.get(component).tensors(list);
        return list.tensors();
    }
}
