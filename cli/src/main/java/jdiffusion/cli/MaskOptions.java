package jdiffusion.cli;

import jdiffusion.model.family.MaskFill;
import jdiffusion.model.image.Border;
import jdiffusion.model.image.Picture;
import jdiffusion.model.request.InpaintChoices;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.tensor.InputException;
import picocli.CommandLine.Option;

/** How a mask acts, and what is drawn around a picture; null where the user says nothing. */
final class MaskOptions {
    @Option(names = "--mask-blur", paramLabel = "N",
            description = "Soften the mask's edges by a Gaussian of N pixels, and paste what is drawn by it. Default:"
                + " 0, hard edges; 4 with --outpaint.")
    Integer blur;

    @Option(names = "--mask-invert", description = "Draw where the mask is black.")
    boolean invert;

    @Option(names = "--only-masked",
            description = "Cut out the part around what is masked, draw it at the picture's size (the model's usual"
                + " one, unless -W and -H say another), and put it back.")
    boolean onlyMasked;

    @Option(names = "--mask-padding", paramLabel = "PIXELS",
            description = "With --only-masked: how much is cut out around what is masked. Default: 32.")
    Integer padding;

    @Option(names = "--mask-fill", paramLabel = "NAME", completionCandidates = Choices.MaskFills.class,
            description = "What the masked part starts from: ${COMPLETION-CANDIDATES} (the colours around it, the"
                + " picture, noise or zeros in the latents). Default: original.")
    String fill;

    @Option(names = "--mask-paste",
            description = "Paste what is drawn into the init image, of which every byte outside of the mask stays. A"
                + " blur, --only-masked and --outpaint do so in any case.")
    boolean paste;

    @Option(names = "--outpaint", paramLabel = "L,T,R,B",
            description = "Draw so many pixels around the init image: left, top, right, bottom. --strength is 0.8"
                + " unless given.")
    String outpaint;

    private final InpaintChoices found = new InpaintChoices();

    /** Fails when options that the user gives contradict each other. */
    void check() {
        if (padding != null && !onlyMasked) {
            throw new InputException("--mask-padding says how much is cut out around what is masked; it is for"
                    + " --only-masked");
        }
    }

    /** Takes from a picture's settings what is left open. */
    void fill(InpaintChoices settings) {
        found.or(settings);
    }

    private InpaintChoices choices() {
        InpaintChoices choices = new InpaintChoices();
        choices.blur = blur;
        choices.inverted = invert ? Boolean.TRUE : null;
        choices.onlyMasked = onlyMasked ? Boolean.TRUE : null;
        choices.padding = padding;
        choices.fill = fill == null ? null : MaskFill.of(fill);
        choices.pasted = paste ? Boolean.TRUE : null;
        choices.border = outpaint == null ? null : Border.of(outpaint, "--outpaint");
        choices.or(found);
        return choices;
    }

    /** Whether the user says anything. */
    boolean isGiven() {
        return blur != null || invert || onlyMasked || padding != null || fill != null || paste || outpaint != null;
    }

    /** With the usual values where nothing is said. */
    InpaintSettings settings(boolean hasInit, boolean hasMask) {
        InpaintChoices choices = choices();
        if (choices.border != null && !hasInit) {
            throw new InputException("--outpaint draws around an init image; give one with -i");
        }
        if (choices.needsMask() && !hasMask) {
            throw new InputException("--mask-blur, --mask-invert, --only-masked, --mask-fill and --mask-paste are of a"
                    + " mask; give one with --mask");
        }
        return choices.settings();
    }

    /** What gives the picture's size where the user does not. */
    InpaintChoices sizing(Picture init, Integer width, Integer height, int multiple) {
        InpaintChoices choices = choices();
        if (choices.border != null) {
            choices.checkSize(init, width == null ? choices.size(init).width() : width,
                    height == null ? choices.size(init).height() : height, multiple);
        }
        return choices;
    }
}
