package jdiffusion.kernels.profile;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.WorkClock.Mark;

/** What a {@link ProfilingBackend} has recorded, in the order of time. Times are those of {@link System#nanoTime}. */
public final class Profile {
    private final long start = System.nanoTime();
    private final List<Event> events = new ArrayList<>();
    private final List<Timed> timed = new ArrayList<>();
    private final List<Span> spans = new ArrayList<>();
    private final Map<Operation, Operation> operations = new HashMap<>();
    private Span current;

    /**
     * An operation that was done.
     *
     * @param span  the innermost scope; null for none
     * @param start when it began
     * @param nanos how long it took
     */
    public record Event(Operation operation, Span span, long start, long nanos) {
    }

    /** An operation whose times may not be known yet. */
    private record Timed(Operation operation, Span span, Mark from, Mark to) {
    }

    /** The operations that were done. */
    public List<Event> events() {
        for (Timed one : timed) {
            long from = one.from.nanos();
            events.add(new Event(one.operation, one.span, from, one.to.nanos() - from));
        }
        timed.clear();
        return events;
    }

    /** The scopes that were entered, those around others first. */
    public List<Span> spans() {
        return spans;
    }

    /** When it began. */
    public long start() {
        return start;
    }

    void add(Operation operation, Mark from, Mark to) {
        Operation known = operations.putIfAbsent(operation, operation);
        timed.add(new Timed(known == null ? operation : known, current, from, to));
    }

    void open(String name, int index, Mark at) {
        current = new Span(current, name, index, at);
        spans.add(current);
    }

    void close(Mark at) {
        current.end(at);
        current = current.parent();
    }
}
