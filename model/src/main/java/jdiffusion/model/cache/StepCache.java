package jdiffusion.model.cache;

import java.util.List;
import jdiffusion.model.guidance.Call;
import jdiffusion.tensor.InputException;

/**
 * How evaluations of the network are saved, by what earlier ones gave. Each guidance branch, and each network that
 * guidance pushes away from, has a cache of its own.
 */
public sealed interface StepCache {
    /** What there is, for messages. */
    String KINDS = "taylor(4), first-block(0.1)";

    /** As {@code --cache} reads it, with all its settings. */
    String text();

    /**
     * TaylorSeer (Liu et al., "From Reusing to Forecasting: Accelerating Diffusion Models with TaylorSeers", 2025), of
     * the network's output, as diffusers' lite mode has it: after some evaluations only every n-th is made, and in
     * between the output is continued by the differences of the last ones.
     *
     * @param interval n
     * @param order    of the highest difference
     * @param warmup   evaluations at the start that are all made
     */
    record Taylor(int interval, int order, int warmup) implements StepCache {
        /** More terms than a device adds at once would be needed beyond. */
        private static final int HIGHEST_ORDER = 3;

        static Taylor read(Call call) {
            return new Taylor(call.integer("interval", 4, 1, 1000), call.integer("order", 1, 0, HIGHEST_ORDER),
                    call.integer("warmup", 3, 1, 1000));
        }

        /** Whether an evaluation, counted from 0, is made. */
        public boolean evaluates(int i) {
            return i < warmup || (i - warmup + 1) % interval == 0;
        }

        @Override
        public String text() {
            return "taylor(" + interval + ",order=" + order + ",warmup=" + warmup + ")";
        }
    }

    /**
     * First-block cache (Cheng, ParaAttention, 2024, after TeaCache, Liu et al., 2024): when what the first block adds
     * to the image's stream has hardly changed since the last whole evaluation, the other blocks add what they added
     * then.
     *
     * @param threshold of the mean absolute change, as a share of the mean absolute value
     */
    record FirstBlock(double threshold) implements StepCache {
        static FirstBlock read(Call call) {
            return new FirstBlock(call.number("threshold", 0.1, 0, 10));
        }

        @Override
        public String text() {
            return "first-block(" + Call.shown(threshold) + ")";
        }
    }

    /**
     * Reads a name with arguments.
     *
     * @param option that the text is of, for messages
     * @throws InputException when there is no such cache or a setting is out of range
     */
    static StepCache of(String option, String text) {
        List<Call> calls = Call.all(option, text);
        if (calls.size() != 1) {
            throw new InputException(option + ": '" + InputException.shown(text) + "' are " + calls.size()
                    + " caches; give one of " + KINDS);
        }
        Call call = calls.getFirst();
        StepCache cache = switch (call.name()) {
            case "taylor" -> Taylor.read(call);
            case "first-block" -> FirstBlock.read(call);
            default -> throw new InputException(option + ": there is no cache '" + InputException.shown(call.name())
                    + "'; there are " + KINDS);
        };
        call.done();
        return cache;
    }
}
