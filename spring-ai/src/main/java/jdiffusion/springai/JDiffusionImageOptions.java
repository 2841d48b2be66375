package jdiffusion.springai;

import java.util.function.Consumer;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import org.springframework.ai.image.ImageOptions;

/**
 * What is asked for beside the prompt; null for the model's default.
 *
 * @param n              pictures, with seeds that count up
 * @param model          must be the loaded model's file, where it is given
 * @param width          pixels
 * @param height         pixels
 * @param responseFormat {@code b64_json}, or {@code url} for a data address
 * @param seed           64 bits without a sign; null for a random one
 * @param guidance       of classifier-free guidance
 * @param strength       with a picture to start from: how much changes, above 0 up to 1
 * @param fields         sets any other field of a request
 */
public record JDiffusionImageOptions(Integer n, String model, Integer width, Integer height, String responseFormat,
                                     Long seed, Integer steps, Float guidance, String negativePrompt, Double strength,
                                     Sampler.Kind sampler, SigmaSchedule schedule, Consumer<PictureFields> fields)
        implements ImageOptions {
    @Override
    public Integer getN() {
        return n;
    }

    @Override
    public String getModel() {
        return model;
    }

    @Override
    public Integer getWidth() {
        return width;
    }

    @Override
    public Integer getHeight() {
        return height;
    }

    @Override
    public String getResponseFormat() {
        return responseFormat;
    }

    /** Models here have none. */
    @Override
    public String getStyle() {
        return null;
    }

    public static Builder builder() {
        return new Builder();
    }

    /** The same where a prompt's options say nothing else. */
    JDiffusionImageOptions with(ImageOptions asked) {
        if (asked == null) {
            return this;
        }
        JDiffusionImageOptions ours = asked instanceof JDiffusionImageOptions own ? own : builder().build();
        return new JDiffusionImageOptions(or(asked.getN(), n), or(asked.getModel(), model),
                or(asked.getWidth(), width), or(asked.getHeight(), height),
                or(asked.getResponseFormat(), responseFormat), or(ours.seed, seed), or(ours.steps, steps), or(ours.guidance, guidance),
                or(ours.negativePrompt, negativePrompt), or(ours.strength, strength), or(ours.sampler, sampler),
                or(ours.schedule, schedule), fields == null ? ours.fields : ours.fields == null ? fields
                        : fields.andThen(ours.fields));
    }

    private static <T> T or(T value, T otherwise) {
        return value == null ? otherwise : value;
    }

    /** All but the prompt and its pictures. */
    PictureFields asked() {
        PictureFields asked = new PictureFields();
        asked.images = or(n, 1);
        asked.model = model;
        asked.width = width;
        asked.height = height;
        asked.seed = seed;
        asked.steps = steps;
        asked.guidance = guidance;
        asked.negativePrompt = negativePrompt;
        asked.strength = strength;
        asked.sampler = sampler;
        asked.schedule = schedule;
        if (fields != null) {
            fields.accept(asked);
        }
        return asked;
    }

    /** Options under construction. */
    public static final class Builder {
        private Integer n;
        private String model;
        private Integer width;
        private Integer height;
        private String responseFormat;
        private Long seed;
        private Integer steps;
        private Float guidance;
        private String negativePrompt;
        private Double strength;
        private Sampler.Kind sampler;
        private SigmaSchedule schedule;
        private Consumer<PictureFields> fields;

        private Builder() {
        }

        public Builder n(int value) {
            n = value;
            return this;
        }

        public Builder model(String value) {
            model = value;
            return this;
        }

        public Builder size(int newWidth, int newHeight) {
            width = newWidth;
            height = newHeight;
            return this;
        }

        public Builder responseFormat(String value) {
            responseFormat = value;
            return this;
        }

        public Builder seed(long value) {
            seed = value;
            return this;
        }

        public Builder steps(int value) {
            steps = value;
            return this;
        }

        public Builder guidance(float value) {
            guidance = value;
            return this;
        }

        public Builder negativePrompt(String value) {
            negativePrompt = value;
            return this;
        }

        public Builder strength(double value) {
            strength = value;
            return this;
        }

        public Builder sampler(Sampler.Kind value) {
            sampler = value;
            return this;
        }

        public Builder schedule(SigmaSchedule value) {
            schedule = value;
            return this;
        }

        /** Any other field of a request. */
        public Builder fields(Consumer<PictureFields> value) {
            fields = value;
            return this;
        }

        public JDiffusionImageOptions build() {
            return new JDiffusionImageOptions(n, model, width, height, responseFormat, seed, steps, guidance,
                    negativePrompt, strength, sampler, schedule, fields);
        }
    }
}
