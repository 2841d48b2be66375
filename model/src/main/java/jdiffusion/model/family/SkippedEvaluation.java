package jdiffusion.model.family;

import java.time.Duration;

/**
 * An evaluation that a step cache did not make in full.
 *
 * @param branch of guidance, or what guidance pushes away from
 * @param error  the length of the difference to what the whole network says of the same latents, by the length of the
 *               latter; not a number where that was not asked for
 * @param check  how long it took to find out
 */
public record SkippedEvaluation(String branch, double error, Duration check) {
}
