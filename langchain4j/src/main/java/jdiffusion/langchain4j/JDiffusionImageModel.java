package jdiffusion.langchain4j;

import dev.langchain4j.data.image.Image;
import dev.langchain4j.model.image.ImageModel;
import dev.langchain4j.model.output.Response;
import java.net.URI;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import jdiffusion.kernels.Backend;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.LoadedModel;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.tensor.InputException;

/**
 * LangChain4j's image model, drawn by jdiffusion in the same process. The model stays loaded until it is closed. Any
 * thread may ask; one request is drawn at a time. Pictures are PNGs in base64 with their settings in them; the seed is
 * in the response's metadata ({@value #SEED}).
 */
public final class JDiffusionImageModel implements ImageModel, AutoCloseable {
    /** In the metadata: the seed of the first picture, a text; further ones count up. */
    public static final String SEED = "seed";
    /** In the metadata: what had to change, a list of texts. */
    public static final String NOTES = "notes";
    private static final String PNG = "image/png";

    private final LoadedModel model;
    private final Consumer<PictureFields> settings;

    private JDiffusionImageModel(LoadedModel model, Consumer<PictureFields> settings) {
        this.model = model;
        this.settings = settings;
    }

    /**
     * Begins a model.
     *
     * @param model   file or folder of the model
     * @param backend the device; whoever opened it closes it, after the model
     */
    public static Builder builder(Path model, Backend backend) {
        return new Builder(model, backend);
    }

    /** What a model draws with where it is not the model's own default. */
    public static final class Builder {
        private final Path model;
        private final Backend backend;
        private Consumer<PictureFields> settings = _ -> { };

        private Builder(Path model, Backend backend) {
            this.model = model;
            this.backend = backend;
        }

        /** In pixels. */
        public Builder size(int width, int height) {
            return fields(fields -> {
                fields.width = width;
                fields.height = height;
            });
        }

        public Builder steps(int steps) {
            return fields(fields -> fields.steps = steps);
        }

        /** Of classifier-free guidance. */
        public Builder guidance(float guidance) {
            return fields(fields -> fields.guidance = guidance);
        }

        /** 64 bits without a sign. Without one each request gets a random one. */
        public Builder seed(long seed) {
            return fields(fields -> fields.seed = seed);
        }

        public Builder negativePrompt(String negativePrompt) {
            return fields(fields -> fields.negativePrompt = negativePrompt);
        }

        public Builder sampler(Sampler.Kind sampler) {
            return fields(fields -> fields.sampler = sampler);
        }

        public Builder schedule(SigmaSchedule schedule) {
            return fields(fields -> fields.schedule = schedule);
        }

        /** Of edits: how much changes, above 0 up to 1. */
        public Builder strength(double strength) {
            return fields(fields -> fields.strength = strength);
        }

        /** Any field of a request, set before the prompt and the pictures are. */
        public Builder fields(Consumer<PictureFields> more) {
            settings = settings.andThen(more);
            return this;
        }

        /** @throws InputException when it is no model that can be drawn with */
        public JDiffusionImageModel build() {
            return new JDiffusionImageModel(LoadedModel.open(model, backend), settings);
        }
    }

    @Override
    public Response<Image> generate(String prompt) {
        return first(draw(fields(prompt)));
    }

    /** @param n pictures, with seeds that count up */
    @Override
    public Response<List<Image>> generate(String prompt, int n) {
        PictureFields fields = fields(prompt);
        fields.images = n;
        return draw(fields);
    }

    /** @param image in base64 or as a data address; no other address is opened */
    @Override
    public Response<Image> edit(Image image, String prompt) {
        return edit(image, null, prompt);
    }

    /** @param mask says where to draw: where it is transparent, or white if it has no transparency */
    @Override
    public Response<Image> edit(Image image, Image mask, String prompt) {
        PictureFields fields = fields(prompt);
        fields.init = PictureFile.read(bytes(image, "image"), "image");
        if (mask != null) {
            fields.mask = PictureFile.readAlphaMask(bytes(mask, "mask"), "mask");
            fields.strength = fields.strength == null ? Double.valueOf(1) : fields.strength;
        }
        return first(draw(fields));
    }

    private PictureFields fields(String prompt) {
        PictureFields fields = new PictureFields();
        settings.accept(fields);
        fields.prompt = prompt;
        return fields;
    }

    private static Response<Image> first(Response<List<Image>> response) {
        return Response.from(response.content().getFirst(), null, null, response.metadata());
    }

    private Response<List<Image>> draw(PictureFields fields) {
        List<LoadedModel.Drawn> drawn = model.draw(fields);
        List<Image> images = drawn.stream().map(picture -> Image.builder()
                .base64Data(Base64.getEncoder().encodeToString(picture.png())).mimeType(PNG).build()).toList();
        return Response.from(images, null, null, Map.of(SEED, Long.toUnsignedString(drawn.getFirst().seed()), NOTES,
                List.copyOf(fields.notes)));
    }

    private static byte[] bytes(Image image, String name) {
        String text = image.base64Data();
        URI url = image.url();
        if (text == null && url != null && "data".equalsIgnoreCase(url.getScheme())) {
            text = url.getSchemeSpecificPart().substring(url.getSchemeSpecificPart().indexOf(',') + 1);
        }
        try {
            if (text != null) {
                return Base64.getDecoder().decode(text);
            }
        } catch (IllegalArgumentException e) {
            throw new InputException("the " + name + " is not base64", e);
        }
        throw new InputException("the " + name + " has no base64Data; give the file itself, since no address is"
                + " opened");
    }

    /** Waits for the request that is drawn, and lets go of the model. */
    @Override
    public void close() {
        model.close();
    }
}
