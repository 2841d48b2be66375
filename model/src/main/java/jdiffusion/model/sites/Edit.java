package jdiffusion.model.sites;

import java.util.List;
import java.util.Random;
import jdiffusion.tensor.InputException;

/** How an intervention changes the chosen part of a tensor. */
public sealed interface Edit {
    /** Not at all. */
    record Keep() implements Edit {
    }

    /** x = factor * x, and 0 for the factor 0 whatever x is. */
    record Scale(float factor) implements Edit {
        public Scale {
            if (!Float.isFinite(factor)) {
                throw new InputException("the factor " + factor + " is no finite number");
            }
        }
    }

    /**
     * x = x + strength * rms(x) * n with n normally distributed, and rms that of the chosen part.
     *
     * @param seed together with the tensor's name in a recording it decides the numbers
     */
    record Noise(float strength, long seed) implements Edit {
        public Noise {
            if (!Float.isFinite(strength) || strength < 0) {
                throw new InputException("the noise is " + strength + "; use 0 or more, 0.1 for a tenth of the"
                        + " tensor's root mean square");
            }
        }
    }

    /** Row = row + factor * vector. */
    record Add(float[] vector, float factor) implements Edit {
    }

    /** Row = row - (row . v / v . v) v. */
    record Project(float[] vector) implements Edit {
        public Project {
            if (square(vector) == 0) {
                throw new InputException("a vector of zeros has no direction that could be projected out");
            }
        }
    }

    /** x = what the source has. */
    record Replace(Source source) implements Edit {
    }

    /** x = the mean over runs with these prompts, all else being equal. */
    record Mean(List<String> prompts) implements Edit {
        public Mean {
            if (prompts.isEmpty()) {
                throw new InputException("no prompts are given to take the mean over");
            }
        }
    }

    /** Blocks only: what comes in goes out. */
    record Remove() implements Edit {
    }

    /** Blocks only: so many times in a row. */
    record Repeat(int times) implements Edit {
        /** The most. */
        public static final int MOST = 100;

        public Repeat {
            if (times < 1 || times > MOST) {
                throw new InputException("a block is to run " + times + " times; use 1 to " + MOST
                        + ", and remove to leave it out");
            }
        }
    }

    /**
     * Attentions only: some keys are left out before the softmax, or their values are zero. Of the place, tokens, words
     * and encoders name keys too.
     *
     * @param top  so many keys of most mass, over all queries and heads, at that step; 0 for those that are named
     * @param keys numbered through the streams of the attention, in their order; may be empty
     */
    record MaskKeys(Path path, int top, List<Integer> keys) implements Edit {
        /** Where keys are masked. */
        public enum Path {
            /** Before the softmax: nothing is attended to there, and the rest shares it. */
            SCORE,
            /** After it: what is attended to there gives nothing. */
            VALUE
        }

        public MaskKeys {
            keys = List.copyOf(keys);
            if (top < 0) {
                throw new InputException("top" + top + " of the keys are to be masked; use top1 or more");
            }
        }
    }

    /** Whether it acts on whole blocks. */
    default boolean ofBlocks() {
        return this instanceof Remove || this instanceof Repeat;
    }

    private static double square(float[] vector) {
        double sum = 0;
        for (float v : vector) {
            sum += (double) v * v;
        }
        return sum;
    }

    /**
     * Changes the chosen part of one entry.
     *
     * @param key    name of the tensor in a recording
     * @param values of all entries
     * @param at     where this one begins
     */
    default void apply(Site site, String key, Selection chosen, float[] values, int at) {
        switch (this) {
            case Scale(float factor) -> chosen.forEach(at, (from, to) -> {
                for (int i = from; i < to; i++) {
                    values[i] = factor == 0 ? 0 : factor * values[i];
                }
            });
            case Noise noise -> noise(noise, key, chosen, values, at);
            case Add(float[] vector, float factor) -> chosen.forEach(at, (from, to) -> {
                int first = (from - at) % site.columns();
                for (int i = from; i < to; i++) {
                    values[i] += factor * vector[first + i - from];
                }
            });
            case Project(float[] vector) -> project(site, vector, chosen, values, at);
            case Replace(Source source) -> {
                float[] other = source.find(source.find(key) == null ? site.name() : key).toArray();
                chosen.forEach(at, (from, to) -> System.arraycopy(other, from - at, values, from, to - from));
            }
            case Keep _, Remove _, Repeat _, Mean _, MaskKeys _ -> { }
        }
    }

    private static void noise(Noise noise, String key, Selection chosen, float[] values, int at) {
        double[] sum = new double[2];
        chosen.forEach(at, (from, to) -> {
            for (int i = from; i < to; i++) {
                sum[0] += (double) values[i] * values[i];
            }
            sum[1] += to - from;
        });
        float deviation = (float) (noise.strength * Math.sqrt(sum[0] / sum[1]));
        Random random = new Random(noise.seed * 31 + key.hashCode());
        chosen.forEach(at, (from, to) -> {
            for (int i = from; i < to; i++) {
                values[i] += deviation * (float) random.nextGaussian();
            }
        });
    }

    /** Of a selection of heads, the part of the vector that belongs to them. */
    private static void project(Site site, float[] v, Selection chosen, float[] values, int at) {
        chosen.forEach(at, (from, to) -> {
            int first = (from - at) % site.columns();
            double dot = 0;
            double square = 0;
            for (int i = from; i < to; i++) {
                dot += (double) values[i] * v[first + i - from];
                square += (double) v[first + i - from] * v[first + i - from];
            }
            for (int i = from; i < to && square > 0; i++) {
                values[i] -= (float) (dot / square) * v[first + i - from];
            }
        });
    }
}
