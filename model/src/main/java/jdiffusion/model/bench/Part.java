package jdiffusion.model.bench;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Precision;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.BenchShapes;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.synthetic.SyntheticModel;
import jdiffusion.tensor.InputException;

/** What can be measured. */
public enum Part {
    /** The linear layers of the denoiser. */
    GEMM,
    /** The denoiser's attention. */
    ATTENTION,
    /** The convolutions of the VAE's decoder. */
    CONV,
    /** The kinds of blocks of the denoiser, each by itself. */
    BLOCKS,
    /** One evaluation of the denoiser. */
    DENOISER,
    /** The VAE's decoder. */
    VAE,
    /** The text encoders. */
    TEXT,
    /** A picture from prompt to pixels. */
    IMAGE;

    /** Those that take some seconds, and little memory. */
    public static final List<Part> DEFAULT = List.of(GEMM, ATTENTION, CONV);

    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** The part of that label. */
    public static Part of(String label) {
        for (Part part : values()) {
            if (part.label().equals(label.toLowerCase(Locale.ROOT))) {
                return part;
            }
        }
        throw new InputException("'" + InputException.shown(label) + "' cannot be measured; use "
                + Arrays.stream(values()).map(Part::label).collect(Collectors.joining(", ")));
    }

    /** Whether it has two guidance branches unless the user says otherwise. */
    public boolean isGuided() {
        return this == DENOISER || this == IMAGE;
    }

    /** Whether it is small enough to be measured at two sizes unless the user says otherwise. */
    public boolean isOfTwoSizes() {
        return this == GEMM || this == ATTENTION;
    }

    /** Fails when the model cannot be measured at that size. */
    public void check(SyntheticModel model, Shapes shapes) {
        if (this == BLOCKS || this == DENOISER || this == IMAGE) {
            BenchShapes known = Families.of(model.architecture()).bench(model);
            if (this == BLOCKS && known.blocks().isEmpty()) {
                throw new InputException("blocks of " + model.architecture().label() + " are not measured by"
                        + " themselves; use denoiser");
            }
            new ImageSize(known.multiple(), known.largest()).check(shapes.width(), shapes.height());
        }
    }

    /**
     * Measures it.
     *
     * @param progress told what is being done
     * @param results  told of each measurement
     */
    public void measure(Backend backend, SyntheticModel model, Shapes shapes, Settings settings,
                        Consumer<String> progress, Consumer<Measurement> results) {
        if (this == IMAGE) {
            results.accept(new ImageBench(backend, settings, progress).measure(model, shapes));
            return;
        }
        Bench bench = new Bench(backend, settings, progress);
        for (Case<?> one : cases(model, shapes, backend.precision() == Precision.FP8)) {
            results.accept(bench.measure(one));
        }
    }

    private List<Case<?>> cases(SyntheticModel model, Shapes shapes, boolean float8) {
        return switch (this) {
            case GEMM -> ProductCases.gemm(model, shapes, float8);
            case ATTENTION -> ProductCases.attention(model, shapes);
            case CONV -> ProductCases.conv(model, shapes);
            case BLOCKS -> ModelCases.blocks(model, shapes);
            case DENOISER -> ModelCases.denoiser(model, shapes);
            case VAE -> ModelCases.vae(model, shapes);
            case TEXT -> ModelCases.text(model, shapes);
            case IMAGE -> throw new IllegalStateException("no case");
        };
    }
}
