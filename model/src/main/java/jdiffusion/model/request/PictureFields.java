package jdiffusion.model.request;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.family.MicroConditioning.Pair;
import jdiffusion.model.image.Picture;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;

/**
 * What a client asks for, whichever interface it uses; null where it says nothing. {@link RequestMaker} fills the
 * gaps and says what is wrong.
 */
public final class PictureFields {
    /** What is done with sizes that the model cannot draw. */
    public enum Sizes { REFUSED, ROUNDED_DOWN }

    /** How a picture to start from comes to another shape. */
    public enum Shape { STRETCHED, CUT }

    /** What the client should know of how it was understood. */
    public final List<String> notes = new ArrayList<>();
    /** Name of the model. */
    public String model;
    /** With the names of LoRAs in it, as {@code <lora:NAME:WEIGHT>}. */
    public String prompt;
    public String negativePrompt;
    /** For the second text encoder, where there is one. */
    public String prompt2;
    public String negativePrompt2;
    public Integer width;
    public Integer height;
    public Sizes sizes = Sizes.REFUSED;
    public Integer steps;
    /** Of classifier-free guidance. */
    public Float guidance;
    /** What a distilled network is told; without effect on others. */
    public Float embeddedGuidance;
    /** As diffusers' pipelines take it: what a distilled network is told, and of others the guidance. */
    public Float guidanceScale;
    public Float guidanceRescale;
    /** Null for a random one. */
    public Long seed;
    public int images = 1;
    public Sampler.Kind sampler;
    /** Whether the sampler is the model's own where it is of the same kind, with all that its file says of it. */
    public boolean samplerOfModel;
    public Double eta;
    public SigmaSchedule schedule;
    public List<Float> sigmas;
    public Float shift;
    public Boolean t5;
    public Integer t5Length;
    /** Whether families that clean captions clean the prompt. */
    public Boolean cleanCaption;
    /** Whether families with a table of sizes draw the nearest of it. */
    public Boolean resolutionBinning;
    /** Layers of CLIP to leave out, as A1111 counts. */
    public Integer clipSkip;
    /** Blocks to leave out in skip-layer guidance. */
    public List<Integer> skipLayers;
    public Float skipLayersScale;
    public Float skipLayersStart;
    public Float skipLayersEnd;
    /** Variants of guidance, as {@code --guiders} has them. */
    public String guiders;
    /** How evaluations of the network are saved, as {@code --cache} has it. */
    public String cache;
    /** Where a seed's numbers come from, as {@code --noise} has it. */
    public String noise;
    /** How brackets in prompts are read, as {@code --weights} has it. */
    public String weights;
    /** The same for families that can, and prompts on which it acts, where {@link #weights} says nothing. */
    public String usualWeights;
    /** The program whose usual settings are wanted, as {@code --compat} has it. */
    public String compat;
    /** Whether further pictures are of one draw of noise; null for what is usual. */
    public Boolean oneDraw;
    /** Pictures of the batch that a picture is of; null where it is drawn by itself. */
    public Integer batch;
    /** What SDXL is told of the picture, as a height and a width or a row and a column. */
    public Pair originalSize;
    public Pair crop;
    public Pair targetSize;
    public Pair negativeOriginalSize;
    public Pair negativeCrop;
    public Pair negativeTargetSize;
    /** What SDXL's refiner is told, 1 to 10. */
    public Float aestheticScore;
    public Float negativeAestheticScore;
    /** To start from. */
    public Picture init;
    public Shape shape = Shape.STRETCHED;
    public Double strength;
    /** White where to draw. */
    public Picture mask;
    /** How it acts. */
    public final InpaintChoices inpaint = new InpaintChoices();
    /** Name of a ControlNet; null for none. */
    public String controlNet;
    /** What it reads, already prepared. */
    public Picture controlPicture;
    public Float controlStrength;
    public Double controlStart;
    public Double controlEnd;
    /** A second pass at a larger size. */
    public final HiresChoices hires = new HiresChoices();
}
