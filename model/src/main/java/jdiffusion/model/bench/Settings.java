package jdiffusion.model.bench;

import java.nio.file.Path;

/**
 * How to measure.
 *
 * @param runs       that count, at least 1
 * @param warmUp     seconds for which a case runs before, at least once
 * @param steps      of a picture
 * @param tokenizers for a picture: folder with those of the encoders, in folders of the diffusers layout
 */
public record Settings(int runs, double warmUp, int steps, Path tokenizers) {
}
