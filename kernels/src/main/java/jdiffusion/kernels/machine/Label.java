package jdiffusion.kernels.machine;

import java.util.ArrayList;
import java.util.List;

/** A place in the code that jumps go to; bound once, before or after the jumps to it are written. */
final class Label {
    /** Offset in the code; -1 until it is bound. */
    int position = -1;
    /** Where jumps written before it keep their distance. */
    final List<Integer> waiting = new ArrayList<>();
}
