package jdiffusion.model.settings;

import java.util.List;
import java.util.Map;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;

/**
 * What a picture's file says of how it was drawn, whichever program wrote it. Null stands for what it does not say.
 *
 * @param tool           who wrote it, with its version where that is known; null when the text does not say
 * @param prompt         with the names of LoRAs in it, as {@code <lora:NAME:WEIGHT>}
 * @param negativePrompt what was steered away from
 * @param steps          of the first pass, as all that follows
 * @param guidance       classifier-free guidance scale
 * @param seed           64 bits without a sign
 * @param width          pixels
 * @param height         pixels
 * @param sampler        null also for one that is not here, with a note
 * @param schedule       null also for one that is not here, with a note
 * @param shift          timestep shift
 * @param model          name of the checkpoint, without folder and ending
 * @param strength       share of the steps that were run on a picture to start from
 * @param hasInit        whether it started from a picture
 * @param hasMask        whether only a part was drawn anew
 * @param more           all other settings by their names, in order
 * @param notes          what differs from the file
 */
public record FoundSettings(String tool, String prompt, String negativePrompt, Integer steps, Float guidance, Long seed,
                            Integer width, Integer height, Sampler.Kind sampler, SigmaSchedule schedule, Float shift,
                            String model, Double strength, boolean hasInit, boolean hasMask, Map<String, String> more,
                            List<String> notes) {
}
