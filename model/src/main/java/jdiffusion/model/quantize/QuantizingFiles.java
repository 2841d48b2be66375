package jdiffusion.model.quantize;

import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.checkpoint.WrappedFiles;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.WrappedSource;

/**
 * A checkpoint whose matrices are quantised on the way in: each when it is first asked for, into memory that goes with
 * the opened component.
 */
public final class QuantizingFiles extends WrappedFiles {
    private final QuantizeRules rules;

    public QuantizingFiles(ModelFiles model, QuantizeRules rules) {
        super(model);
        this.rules = rules;
    }

    @Override
    public Open open(Component component) {
        Open open = model().open(component);
        Arena arena = Arena.ofShared();
        return open(component, open, arena, (type, elements) -> type.quantise(elements)
                .weight(elements.shape().rows(), elements.shape().cols(), arena));
    }

    /** Nothing is quantised: the matrices have the sizes that they would have, and no memory. */
    @Override
    public Open inspect(Component component) {
        return open(component, model().inspect(component), null, (type, elements) -> type.outline(elements)
                .weight(elements.shape().rows(), elements.shape().cols(), _ -> Unreadable.nothing()));
    }

    /** Gives a matrix another type. */
    @FunctionalInterface
    private interface Quantiser {
        Weight quantise(QuantType type, Elements elements);
    }

    private Open open(Component component, Open open, Arena arena, Quantiser quantiser) {
        TensorSource tensors = new Source(architecture(), component, rules, open.tensors(), quantiser);
        return new Open() {
            @Override
            public TensorSource tensors() {
                return tensors;
            }

            @Override
            public ConfigFile config() {
                return open.config();
            }

            @Override
            public void close() {
                try {
                    open.close();
                } finally {
                    if (arena != null && arena.scope().isAlive()) {
                        arena.close();
                    }
                }
            }
        };
    }

    private static final class Source extends WrappedSource {
        private final Architecture architecture;
        private final Component component;
        private final QuantizeRules rules;
        private final Quantiser quantiser;
        private final Map<String, Weight> quantised = new HashMap<>();

        Source(Architecture architecture, Component component, QuantizeRules rules, TensorSource base,
               Quantiser quantiser) {
            super(base);
            this.architecture = architecture;
            this.component = component;
            this.rules = rules;
            this.quantiser = quantiser;
        }

        private QuantType type(String name) {
            Shape shape = base.shape(name);
            return shape == null ? null : rules.decide(architecture, component, name, shape).type();
        }

        @Override
        public Tensor find(String name) {
            return type(name) == null ? base.find(name) : null;
        }

        @Override
        public Weight weight(String name) {
            QuantType type = type(name);
            Weight weight = base.weight(name);
            Stored before = weight == null ? null : Stored.of(weight);
            return type == null || weight == null || before != null && type.is(before) ? weight
                    : quantised.computeIfAbsent(name, _ -> quantiser.quantise(type, Elements.of(weight)));
        }
    }
}
