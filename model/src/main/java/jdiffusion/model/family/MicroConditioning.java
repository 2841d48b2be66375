package jdiffusion.model.family;

import jdiffusion.tensor.InputException;

/**
 * What SDXL is told of the picture beside the text: Podell et al. (2023), section 2.2. Null stands for a default.
 *
 * @param original         size of the picture before it was scaled; default: that of the picture
 * @param crop             where its upper left corner was cut; default: 0, 0
 * @param target           size that is wanted; default: that of the picture
 * @param negativeOriginal the same for what guidance steers away from; default: as for the prompt
 * @param negativeCrop     likewise
 * @param negativeTarget   likewise
 * @param aesthetic        score that a refiner is told, 1 to 10
 * @param negativeAesthetic score for what guidance steers away from
 */
public record MicroConditioning(Pair original, Pair crop, Pair target, Pair negativeOriginal, Pair negativeCrop,
                                Pair negativeTarget, float aesthetic, float negativeAesthetic) {
    public static final MicroConditioning DEFAULT =
            new MicroConditioning(null, null, null, null, null, null, 6, 2.5f);

    /** A height and a width, or a row and a column, in pixels. */
    public record Pair(int first, int second) {
        public Pair {
            if (first < 0 || second < 0 || first > 1 << 20 || second > 1 << 20) {
                throw new InputException("a size or place of " + first + ", " + second + " pixels; use 0 to "
                        + (1 << 20));
            }
        }
    }

    public MicroConditioning {
        if (!Float.isFinite(aesthetic) || !Float.isFinite(negativeAesthetic)) {
            throw new InputException("an aesthetic score is no number");
        }
    }

    private static Pair or(Pair value, Pair otherwise) {
        return value == null ? otherwise : value;
    }

    /**
     * The numbers for a picture, of a base model 6: original height and width, top and left of the crop, target height
     * and width; of a refiner 5: the score in place of the last two.
     *
     * @param negative    those of what guidance steers away from
     * @param fromPicture whether the request starts from a picture: diffusers' pipelines take their defaults in two
     *                    ways
     */
    public float[] ids(int height, int width, boolean refiner, boolean negative, boolean fromPicture) {
        Pair size = new Pair(height, width);
        Pair o = or(original, size);
        Pair c = or(crop, new Pair(0, 0));
        Pair t = or(target, size);
        if (negative && fromPicture) {
            o = or(negativeOriginal, o);
            t = or(negativeTarget, t);
        } else if (negative && negativeOriginal != null && negativeTarget != null) {
            o = negativeOriginal;
            c = or(negativeCrop, new Pair(0, 0));
            t = negativeTarget;
        }
        return refiner ? new float[] {o.first, o.second, c.first, c.second, negative ? negativeAesthetic : aesthetic}
                : new float[] {o.first, o.second, c.first, c.second, t.first, t.second};
    }
}
