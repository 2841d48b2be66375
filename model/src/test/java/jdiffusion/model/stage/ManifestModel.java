package jdiffusion.model.stage;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import jdiffusion.model.TestData;
import jdiffusion.model.checkpoint.Architecture;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ConfigFile;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.families.Families;
import jdiffusion.model.sampling.NoiseScheduler;
import jdiffusion.model.tokenizer.Tokenizer;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.TensorSource;
import jdiffusion.tensor.Unreadable;
import jdiffusion.tensor.Weight;

/** A published model of which only names, shapes and types are known: enough to plan its memory. */
record ManifestModel(Path manifests, Architecture architecture, String denoiser, boolean fourBit, Path folder)
        implements ModelFiles {
    private static final int BLOCK = 64;
    private static final int NESTED_BLOCK = 256;

    /** @param fourBit whether denoiser and T5 are in NF4, double-quantised */
    static ManifestModel of(String denoiser, boolean fourBit, Path folder) {
        return new ManifestModel(TestData.reference().resolve("manifests"), Families.ALL.getFirst(), denoiser, fourBit,
                folder);
    }

    /** The same of FLUX.1. */
    static ManifestModel ofFlux(String denoiser, boolean fourBit, Path folder) {
        return new ManifestModel(TestData.reference().resolve("flux/manifests"),
                Families.synthetic("flux-dev").full().architecture(), denoiser, fourBit, folder);
    }

    private record Tensors(JsonNode shapes, DType type, boolean fourBit) implements TensorSource {
        @Override
        public String origin() {
            return "manifest";
        }

        @Override
        public Set<String> names() {
            Set<String> names = new TreeSet<>();
            shapes.fieldNames().forEachRemaining(names::add);
            return names;
        }

        @Override
        public Tensor find(String name) {
            return !shapes.has(name) || isFourBit(name) ? null : nothing(type, shape(name));
        }

        private boolean isFourBit(String name) {
            return fourBit && shape(name).rank() == 2 && name.endsWith(".weight") && !name.contains("embed.")
                    && !name.startsWith("shared.") && !name.contains("embed_tokens") && !name.contains("relative");
        }

        @Override
        public Weight weight(String name) {
            if (!shapes.has(name) || !isFourBit(name)) {
                return TensorSource.super.weight(name);
            }
            Shape shape = shape(name);
            int blocks = Math.ceilDiv((int) shape.size(), BLOCK);
            FourBitWeight.Nested nested = new FourBitWeight.Nested(NESTED_BLOCK,
                    nothing(DType.F32, Shape.of(Math.ceilDiv(blocks, NESTED_BLOCK))),
                    nothing(DType.F32, Shape.of(NESTED_BLOCK)), 0);
            return new FourBitWeight(shape.dim(0), shape.dim(1),
                    nothing(DType.U8, Shape.of(Math.ceilDiv((int) shape.size(), 2))),
                    nothing(DType.F32, Shape.of(FourBitWeight.VALUES)), BLOCK,
                    nothing(DType.U8, Shape.of(blocks)), nested);
        }

        @Override
        public Shape shape(String name) {
            if (!shapes.has(name)) {
                return null;
            }
            int[] dims = new int[shapes.get(name).size()];
            for (int i = 0; i < dims.length; i++) {
                dims[i] = shapes.get(name).get(i).asInt();
            }
            return Shape.of(dims);
        }

        private static Tensor nothing(DType type, Shape shape) {
            return Tensor.of(Unreadable.at(0, shape.size() * type.bytes()), type, shape);
        }
    }

    @Override
    public Open open(Component component) {
        JsonNode manifest = TestData.json(manifests.resolve(switch (component) {
            case CLIP_L -> "clip-l";
            case CLIP_G -> "clip-g";
            case T5 -> "t5-xxl";
            case DENOISER -> denoiser + ".transformer";
            case VAE -> "vae";
        } + ".json"));
        Path file = folder.resolve(component + ".json");
        try {
            Files.writeString(file, manifest.get("config").toString());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        boolean quantised = fourBit && (component == Component.DENOISER || component == Component.T5);
        TensorSource tensors = new Tensors(manifest.get("tensors"), DType.valueOf(manifest.get("dtype").asText()),
                quantised);
        return new Open() {
            @Override
            public TensorSource tensors() {
                return tensors;
            }

            @Override
            public ConfigFile config() {
                return ConfigFile.read(file);
            }

            @Override
            public void close() {
                // Nothing is open.
            }
        };
    }

    @Override
    public String origin() {
        return denoiser;
    }

    @Override
    public boolean has(Component component) {
        return architecture.components().contains(component);
    }

    @Override
    public String missing(Component component) {
        return null;
    }

    @Override
    public String layout() {
        return "manifest";
    }

    @Override
    public String place(Component component) {
        return "manifest";
    }

    @Override
    public List<String> notes() {
        return List.of();
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
        throw new AssertionError("a plan needs no tokenizer");
    }

    @Override
    public NoiseScheduler scheduler() {
        return architecture.scheduler();
    }

    @Override
    public ConfigFile generationConfig() {
        return ConfigFile.empty(denoiser);
    }
}
