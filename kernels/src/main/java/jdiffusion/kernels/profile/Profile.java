package jdiffusion.kernels.profile;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What a {@link ProfilingBackend} has recorded, in the order of time. Times are those of {@link System#nanoTime}. */
public final class Profile {
    private final long start = System.nanoTime();
    private final List<Event> events = new ArrayList<>();
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

    /** The operations that were done. */
    public List<Event> events() {
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

    void add(Operation operation, long from, long to) {
        Operation known = operations.putIfAbsent(operation, operation);
        events.add(new Event(known == null ? operation : known, current, from, to - from));
    }

    void open(String name, int index) {
        current = new Span(current, name, index, System.nanoTime());
        spans.add(current);
    }

    void close() {
        current.end(System.nanoTime());
        current = current.parent();
    }
}
