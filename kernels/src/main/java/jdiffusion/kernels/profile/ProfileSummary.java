package jdiffusion.kernels.profile;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Scope;
import jdiffusion.kernels.profile.Profile.Event;

/**
 * A profile added up. Its parts are records of plain values, fit to be written as JSON.
 *
 * @param seconds    that the whole took
 * @param peak       floating-point operations a second that products could reach, or 0 when that is not known
 * @param operations by time, longest first
 * @param stages     in the order of their first time
 */
public record ProfileSummary(double seconds, double peak, List<Work> operations, List<Stage> stages) {
    private static final double NANO = 1e-9;

    /**
     * Equal operations.
     *
     * @param count   how often it was done
     * @param seconds of all times together; so too flops and bytes
     */
    public record Work(String kind, String shape, boolean product, int count, double seconds, double flops,
                       double bytes) {
        /** Both together, under the names of this one. */
        public Work plus(Work other) {
            return new Work(kind, shape, product, count + other.count, seconds + other.seconds, flops + other.flops,
                    bytes + other.bytes);
        }
    }

    /**
     * An outermost scope.
     *
     * @param count times that it was entered
     * @param parts of which it consists, in the order of their first time
     */
    public record Stage(String name, int count, double seconds, List<Part> parts) {
    }

    /**
     * A scope without the scopes in it.
     *
     * @param name       "" for the stage itself
     * @param index      among equals, or {@link Scope#ONCE}
     * @param count      times that it was entered
     * @param seconds    of the time in it and in none of the scopes in it
     * @param operations seconds of these that were operations
     * @param products   seconds of these that were products
     */
    public record Part(String name, int index, int count, double seconds, double operations, double products,
                       double flops, double bytes) {
    }

    /** @param nanos that the whole took */
    public static ProfileSummary of(Profile profile, long nanos, double peak) {
        return new ProfileSummary(nanos * NANO, peak, operations(profile.events()), stages(profile));
    }

    /** Seconds of the operations that are products, or of those that are not. */
    public double seconds(boolean products) {
        return operations.stream().filter(work -> work.product == products).mapToDouble(Work::seconds).sum();
    }

    /** Those of one shape together, though they may differ in what they do with their output. */
    private static List<Work> operations(List<Event> events) {
        Map<String, Work> sums = new LinkedHashMap<>();
        for (Event event : events) {
            Operation o = event.operation();
            sums.merge(o.kind() + ' ' + o.shape(), new Work(o.kind(), o.shape(), o.isProduct(), 1,
                    event.nanos() * NANO, o.flops(), o.bytes()), Work::plus);
        }
        return sums.values().stream().sorted(Comparator.comparingDouble(Work::seconds).reversed()).toList();
    }

    /** Where the spans that are added up are counted. */
    private static final class Sum {
        private final String name;
        private final int index;
        private final Map<String, Sum> parts = new LinkedHashMap<>();
        private int count;
        private long nanos;
        private long inner;
        private long operations;
        private long products;
        private double flops;
        private double bytes;

        Sum(String name, int index) {
            this.name = name;
            this.index = index;
        }

        void add(Event event) {
            operations += event.nanos();
            products += event.operation().isProduct() ? event.nanos() : 0;
            flops += event.operation().flops();
            bytes += event.operation().bytes();
        }

        Part part(String as) {
            return new Part(as, index, count, (nanos - inner) * NANO, operations * NANO, products * NANO, flops,
                    bytes);
        }
    }

    private static List<Stage> stages(Profile profile) {
        Map<String, Sum> stages = new LinkedHashMap<>();
        Map<Span, Sum> sums = new IdentityHashMap<>();
        for (Span span : profile.spans()) {
            Sum sum = sum(span, stages, sums);
            sums.put(span, sum);
            long nanos = span.end() - span.start();
            sum.count++;
            sum.nanos += nanos;
            if (span.parent() != null) {
                sums.get(span.parent()).inner += nanos;
            }
        }
        profile.events().stream().filter(event -> event.span() != null)
                .forEach(event -> sums.get(event.span()).add(event));
        return stages.values().stream().map(ProfileSummary::stage).toList();
    }

    /** Steps are the same whatever their number, and what is in a part is a part of the stage. */
    private static Sum sum(Span span, Map<String, Sum> stages, Map<Span, Sum> sums) {
        if (span.parent() == null) {
            return stages.computeIfAbsent(span.label(), label -> new Sum(label, Scope.ONCE));
        }
        Span outermost = span;
        while (outermost.parent() != null) {
            outermost = outermost.parent();
        }
        boolean step = span.name().equals(Scope.STEP);
        return sums.get(outermost).parts.computeIfAbsent(step ? span.name() : span.label(),
                _ -> new Sum(span.name(), step ? Scope.ONCE : span.index()));
    }

    private static Stage stage(Sum sum) {
        List<Part> parts = new ArrayList<>();
        parts.add(sum.part(""));
        sum.parts.values().forEach(part -> parts.add(part.part(part.name)));
        return new Stage(sum.name, sum.count, sum.nanos * NANO, parts);
    }
}
