package jdiffusion.model.family;

import java.util.List;
import java.util.stream.Collectors;

/**
 * An attention whose speed is measured.
 *
 * @param tokens of each of the sequences that attend jointly
 * @param norms  whether heads of q and k are normalised by an RMS norm with weights
 * @param rotary whether q and k are turned by a rotary position embedding
 */
public record BenchAttention(int batch, int heads, List<Integer> tokens, int channels, boolean norms, boolean rotary) {
    /** One sequence of all tokens, and nothing but the products and the softmax. */
    public static BenchAttention plain(int batch, int heads, int tokens, int channels) {
        return new BenchAttention(batch, heads, List.of(tokens), channels, false, false);
    }

    /** [batch, heads, tokens, channels], and what comes with it. */
    public String label() {
        return "[" + batch + ", " + heads + ", " + tokens.stream().map(String::valueOf).collect(Collectors.joining("+"))
                + ", " + channels + "]" + (norms ? " norms" : "") + (rotary ? " rotary" : "");
    }
}
