package jdiffusion.model.quantize;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.Family;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.mmdit.MmditConfig;
import jdiffusion.model.sampling.SchedulerConfig;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Weight;

/**
 * A checkpoint whose matrices are quantised on the way in: each when it is first asked for, into memory that goes with
 * the opened component.
 */
public record QuantizingFiles(ModelFiles files, QuantizeRules rules) implements ModelFiles {
    @Override
    public String origin() {
        return files.origin();
    }

    @Override
    public boolean has(Component component) {
        return files.has(component);
    }

    @Override
    public Open open(Component component) {
        Arena arena = Arena.ofShared();
        return open(component, files.open(component), arena, (type, elements) -> type.quantise(elements)
                .weight(elements.shape().rows(), elements.shape().cols(), arena));
    }

    @Override
    public String missing(Component component) {
        return files.missing(component);
    }

    @Override
    public String layout() {
        return files.layout();
    }

    @Override
    public String place(Component component) {
        return files.place(component);
    }

    @Override
    public List<String> notes() {
        return files.notes();
    }

    @Override
    public Family family(MmditConfig config) {
        return files.family(config);
    }

    /** Nothing is quantised: the matrices have the sizes that they would have, and no memory. */
    @Override
    public Open inspect(Component component) {
        Arena closed = Arena.ofShared();
        MemorySegment nothing = MemorySegment.NULL.reinterpret(Long.MAX_VALUE, closed, null);
        closed.close();
        return open(component, files.inspect(component), null, (type, elements) -> type.outline(elements)
                .weight(elements.shape().rows(), elements.shape().cols(), _ -> nothing));
    }


    /** Gives a matrix another type. */
    @FunctionalInterface
    private interface Quantiser {
        Weight quantise(QuantType type, Elements elements);
    }

    private Open open(Component component, Open open, Arena arena, Quantiser quantiser) {
        TensorSource tensors = new Source(component, rules, open.tensors(), quantiser, new HashMap<>());
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
                open.close();
                if (arena != null && arena.scope().isAlive()) {
                    arena.close();
                }
            }
        };
    }

    @Override
    public Tokenizer tokenizer(Component component) {
        return files.tokenizer(component);
    }

    @Override
    public Path tokenizerFolder(Component component) {
        return files.tokenizerFolder(component);
    }

    @Override
    public SchedulerConfig scheduler() {
        return files.scheduler();
    }

    @Override
    public ConfigFile generationConfig() {
        return files.generationConfig();
    }

    private record Source(Component component, QuantizeRules rules, TensorSource stored, Quantiser quantiser,
                          Map<String, Weight> quantised) implements TensorSource {
        @Override
        public String origin() {
            return stored.origin();
        }

        @Override
        public Set<String> names() {
            return stored.names();
        }

        private QuantType type(String name) {
            Shape shape = stored.shape(name);
            return shape == null ? null : rules.decide(component, name, shape).type();
        }

        @Override
        public Tensor find(String name) {
            return type(name) == null ? stored.find(name) : null;
        }

        @Override
        public Weight weight(String name) {
            QuantType type = type(name);
            Weight weight = stored.weight(name);
            return type == null || weight == null ? weight
                    : quantised.computeIfAbsent(name, _ -> quantiser.quantise(type, Elements.of(weight)));
        }

        @Override
        public Shape shape(String name) {
            return stored.shape(name);
        }

        @Override
        public String stored(String name) {
            return stored.stored(name);
        }

        @Override
        public List<String> faults() {
            return stored.faults();
        }
    }
}
