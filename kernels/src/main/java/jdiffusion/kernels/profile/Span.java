package jdiffusion.kernels.profile;

import jdiffusion.kernels.Scope;
import jdiffusion.kernels.WorkClock.Mark;

/** A scope that was entered: see {@link jdiffusion.kernels.Backend#scope}. Times are in nanoseconds of one clock. */
public final class Span {
    private final Span parent;
    private final String name;
    private final int index;
    private final Mark start;
    private Mark end;

    Span(Span parent, String name, int index, Mark start) {
        this.parent = parent;
        this.name = name;
        this.index = index;
        this.start = start;
    }

    void end(Mark at) {
        end = at;
    }

    /** The scope around it; null for none. */
    public Span parent() {
        return parent;
    }

    public String name() {
        return name;
    }

    /** Among equals, or {@link Scope#ONCE}. */
    public int index() {
        return index;
    }

    public long start() {
        return start.nanos();
    }

    /** 0 while it is open. */
    public long end() {
        return end == null ? 0 : end.nanos();
    }

    /** Name and index: {@code step 3}, or as tensors are named {@code transformer_blocks.5}. */
    public String label() {
        return index == Scope.ONCE ? name : name.equals(Scope.STEP) ? name + " " + index : name + "." + index;
    }
}
