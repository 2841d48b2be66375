package jdiffusion.springai;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import jdiffusion.kernels.Backend;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.LoadedModel;
import jdiffusion.model.request.PictureFields;
import jdiffusion.tensor.InputException;
import org.springframework.ai.content.Media;
import org.springframework.ai.image.Image;
import org.springframework.ai.image.ImageGeneration;
import org.springframework.ai.image.ImageMessage;
import org.springframework.ai.image.ImageModel;
import org.springframework.ai.image.ImagePrompt;
import org.springframework.ai.image.ImageResponse;

/**
 * Spring AI's image model, drawn by jdiffusion in the same process. The model stays loaded until it is closed. Any
 * thread may ask; one request is drawn at a time. Pictures are PNGs with their settings in them, and come with
 * {@link DrawnMetadata}.
 *
 * <p>Messages of a prompt are joined by commas; those of negative weight are what to avoid. Other weights than 1 and -1
 * are refused. A message's media are the picture to start from, and after it a mask, which says where to draw: where it
 * is transparent, or white if it has no transparency.
 */
public final class JDiffusionImageModel implements ImageModel, AutoCloseable {
    private static final String URL = "url";
    private static final String BASE64 = "b64_json";
    private static final int PICTURE_AND_MASK = 2;

    private final LoadedModel model;
    private final JDiffusionImageOptions defaults;

    private JDiffusionImageModel(LoadedModel model, JDiffusionImageOptions defaults) {
        this.model = model;
        this.defaults = defaults;
    }

    /**
     * Opens a model; its weights are read for the first prompt.
     *
     * @param model   file or folder of the model
     * @param backend the device; whoever opened it closes it, after the model
     * @throws InputException when it is no model that can be drawn with
     */
    public static JDiffusionImageModel open(Path model, Backend backend) {
        return open(model, backend, JDiffusionImageOptions.builder().build());
    }

    /** The same with options for prompts that say nothing else. */
    public static JDiffusionImageModel open(Path model, Backend backend, JDiffusionImageOptions defaults) {
        return new JDiffusionImageModel(LoadedModel.open(model, backend), defaults);
    }

    /**
     * Draws.
     *
     * @throws InputException when the model cannot draw what is asked for
     */
    @Override
    public ImageResponse call(ImagePrompt prompt) {
        JDiffusionImageOptions options = defaults.with(prompt.getOptions());
        String format = options.getResponseFormat();
        if (format != null && !format.equals(URL) && !format.equals(BASE64)) {
            throw new InputException("the response format is '" + InputException.shown(format) + "'; use " + BASE64
                    + " or " + URL);
        }
        PictureFields asked = options.asked();
        texts(prompt.getInstructions(), asked);
        pictures(prompt.getInstructions(), asked);
        List<ImageGeneration> generations = new ArrayList<>();
        for (LoadedModel.Drawn drawn : model.draw(asked)) {
            String base64 = Base64.getEncoder().encodeToString(drawn.png());
            generations.add(new ImageGeneration(URL.equals(format) ? new Image("data:image/png;base64," + base64, null)
                    : new Image(null, base64), new DrawnMetadata(drawn.seed(), drawn.text(),
                    List.copyOf(asked.notes))));
        }
        return new ImageResponse(generations);
    }

    private static void texts(List<ImageMessage> messages, PictureFields asked) {
        List<String> wanted = new ArrayList<>();
        List<String> avoided = new ArrayList<>();
        if (asked.negativePrompt != null) {
            avoided.add(asked.negativePrompt);
        }
        for (ImageMessage message : messages) {
            float weight = message.getWeight() == null ? 1 : message.getWeight();
            if (Math.abs(weight) != 1) {
                throw new InputException("a message has the weight " + weight + "; use 1, or -1 for what to avoid");
            }
            (weight > 0 ? wanted : avoided).add(message.getText());
        }
        asked.prompt = String.join(", ", wanted);
        asked.negativePrompt = avoided.isEmpty() ? null : String.join(", ", avoided);
    }

    private static void pictures(List<ImageMessage> messages, PictureFields asked) {
        List<Media> media = messages.stream().flatMap(message -> message.getMedia().stream()).toList();
        if (media.size() > PICTURE_AND_MASK) {
            throw new InputException(media.size() + " media are given; a picture to start from and a mask are taken");
        }
        if (!media.isEmpty()) {
            asked.init = PictureFile.read(bytes(media.getFirst()), "picture to start from");
        }
        if (media.size() == PICTURE_AND_MASK) {
            asked.mask = PictureFile.readAlphaMask(bytes(media.getLast()), "mask");
            asked.strength = asked.strength == null ? Double.valueOf(1) : asked.strength;
        }
    }

    private static byte[] bytes(Media media) {
        if (media.getData() instanceof byte[] bytes) {
            return bytes;
        }
        throw new InputException("a medium has no bytes but an address, which is not opened; give the file itself");
    }

    /** Waits for the prompt that is drawn, and lets go of the model. */
    @Override
    public void close() {
        model.close();
    }
}
