package jdiffusion.springai;

import java.util.List;
import org.springframework.ai.image.ImageGenerationMetadata;

/**
 * How a picture was drawn.
 *
 * @param seed     64 bits without a sign
 * @param settings as AUTOMATIC1111's web UI writes them; the same text is in the PNG
 * @param notes    what had to change
 */
public record DrawnMetadata(long seed, String settings, List<String> notes) implements ImageGenerationMetadata {
}
