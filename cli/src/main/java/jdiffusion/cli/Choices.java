package jdiffusion.cli;

import java.util.Arrays;
import java.util.Iterator;
import java.util.Locale;
import jdiffusion.kernels.Precision;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.model.stage.MemoryPolicy;
import jdiffusion.model.stage.Offload;

/** The names that options take, for help texts and completion. */
final class Choices {
    private Choices() {
    }

    /** Samplers. */
    static final class Samplers implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(Sampler.Kind.values()).map(Sampler.Kind::label).iterator();
        }
    }

    /** Spacings of noise levels. */
    static final class Schedules implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(SigmaSchedule.values()).map(SigmaSchedule::label).iterator();
        }
    }

    /** Published models. */
    static final class Variants implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Families.variants().iterator();
        }
    }

    /** Models that can be made of random numbers. */
    static final class Synthetic implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Families.synthetic().iterator();
        }
    }

    /** Precisions of matrix products. */
    static final class Precisions implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(Precision.values()).map(Precision::label).iterator();
        }
    }

    /** What a masked part starts from. */
    static final class MaskFills implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(MaskFill.values()).map(MaskFill::label).iterator();
        }
    }

    /** What is enlarged between two passes. */
    static final class Upscalers implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(Hires.Upscaler.values()).map(Hires.Upscaler::label).iterator();
        }
    }

    /** What is in a device's memory at a time. */
    static final class Offloads implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(Offload.values()).map(Offload::label).iterator();
        }
    }

    /** Whether the VAE works on tiles. */
    static final class Tilings implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return Arrays.stream(MemoryPolicy.Tiling.values()).map(tiling -> tiling.name().toLowerCase(Locale.ROOT))
                    .iterator();
        }
    }
}
