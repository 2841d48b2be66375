package jdiffusion.model.synthetic;

import java.nio.file.Path;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.TensorSource;

/** A checkpoint with random weights that is held in memory until it is closed. */
public final class SyntheticFiles implements ModelFiles, AutoCloseable {
    private static final String NAME = "synthetic model";

    private final SyntheticModel model;
    private final Path tokenizers;
    private final Map<Component, SyntheticTensors> components = new EnumMap<>(Component.class);

    /** Makes the weights of these components; others are left out. */
    public SyntheticFiles(SyntheticModel model, Set<Component> made, DType type, Path tokenizers) {
        this.model = model;
        this.tokenizers = tokenizers;
        try {
            made.forEach(component -> components.put(component, tensors(model, component, type)));
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** One component's weights. */
    public static SyntheticTensors tensors(SyntheticModel model, Component component, DType type) {
        return new SyntheticTensors(model.tensors(component, 1, type),
                ConfigFile.of(NAME, model.config(component)));
    }

    @Override
    public Open open(Component component) {
        SyntheticTensors tensors = components.get(component);
        return new Open() {
            @Override
            public TensorSource tensors() {
                return tensors;
            }

            @Override
            public ConfigFile config() {
                return tensors.config();
            }

            @Override
            public void close() {
                // The next run needs them too.
            }
        };
    }

    @Override
    public String origin() {
        return NAME;
    }

    @Override
    public boolean has(Component component) {
        return components.containsKey(component);
    }

    @Override
    public String missing(Component component) {
        return null;
    }

    @Override
    public String layout() {
        return "in memory";
    }

    @Override
    public String place(Component component) {
        return "in memory";
    }

    @Override
    public List<String> notes() {
        return List.of();
    }

    @Override
    public Architecture architecture() {
        return model.architecture();
    }

    @Override
    public String variant() {
        return null;
    }

    @Override
    public Path named() {
        return null;
    }

    @Override
    public List<Path> weights(Component component) {
        return List.of();
    }

    @Override
    public Tokenizer tokenizer(Component component) {
        return new Borrowed(tokenizers, model.architecture()).tokenizer(component);
    }

    @Override
    public NoiseScheduler scheduler() {
        return model.scheduler();
    }

    @Override
    public ConfigFile generationConfig() {
        return ConfigFile.empty(NAME);
    }

    @Override
    public void close() {
        components.values().forEach(SyntheticTensors::close);
    }
}
