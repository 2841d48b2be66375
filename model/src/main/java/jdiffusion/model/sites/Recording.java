package jdiffusion.model.sites;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * Tensors that probes kept, float32 of one picture and branch each, by names such as
 * {@code step.005/cond/block.12.image}; in a run of several pictures with {@code image.0/} before them.
 */
public final class Recording implements Source {
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private long attendingNanos;
    private long wordNanos;
    private long keyNanos;
    private long secondFlops;

    void put(String name, Shape shape, float[] values) {
        tensors.put(name, Tensor.of(values, shape.dims()));
    }

    void spent(long attending, long words, long keys, long flops) {
        attendingNanos += attending;
        wordNanos += words;
        keyNanos += keys;
        secondFlops += flops;
    }

    /** What attentions took that were looked at, without the looking. */
    public Duration attending() {
        return Duration.ofNanos(attendingNanos);
    }

    /** What the shares of words and tokens took besides. */
    public Duration lookingAtWords() {
        return Duration.ofNanos(wordNanos);
    }

    /** What keys' mass and queries' entropy took besides. */
    public Duration lookingAtKeys() {
        return Duration.ofNanos(keyNanos);
    }

    /** Multiplications and additions that looking at attentions has computed a second time. */
    public long secondFlops() {
        return secondFlops;
    }

    @Override
    public String origin() {
        return "the run";
    }

    @Override
    public Tensor find(String name) {
        return tensors.get(name);
    }

    /** In the order in which they were seen. */
    public Map<String, Tensor> tensors() {
        return Collections.unmodifiableMap(tensors);
    }

    /** All of one site, by their names. */
    public Map<String, Tensor> tensors(String site) {
        Map<String, Tensor> found = new LinkedHashMap<>();
        tensors.forEach((name, tensor) -> {
            if (name.endsWith("/" + site) || name.equals(site)) {
                found.put(name, tensor);
            }
        });
        return found;
    }
}
