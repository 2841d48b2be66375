package jdiffusion.model.sampling;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import jdiffusion.tensor.InputException;

/** Where a seed's normal numbers come from. */
public enum NoiseSource {
    /** PyTorch's generator for CPUs, {@link TorchRandom}. */
    CPU {
        @Override
        public RandomNormals random(long seed) {
            return new TorchRandom(seed);
        }
    },
    /** Philox, {@link PhiloxRandom}: PyTorch's generator for GPUs as A1111 and stable-diffusion.cpp have it. */
    PHILOX {
        @Override
        public RandomNormals random(long seed) {
            return new PhiloxRandom(seed);
        }
    };

    /** The numbers of a seed, from the first on. */
    public abstract RandomNormals random(long seed);

    /** The name on the command line. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** @throws InputException when there is none of that name */
    public static NoiseSource of(String name, String label) {
        for (NoiseSource source : values()) {
            if (source.label().equalsIgnoreCase(label)) {
                return source;
            }
        }
        throw new InputException(name + " is '" + InputException.shown(label) + "'; use one of "
                + Arrays.stream(values()).map(NoiseSource::label).collect(Collectors.joining(", ")));
    }
}
