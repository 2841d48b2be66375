package jdiffusion.model.quantize;

import java.lang.foreign.MemorySegment;
import jdiffusion.tensor.Content;

/** Content that is computed. */
public record Made(long byteSize, int unit, Maker maker) implements Content {
    /** Makes the bytes from an offset on. */
    @FunctionalInterface
    public interface Maker {
        void make(long offset, MemorySegment to);
    }

    @Override
    public void read(long offset, MemorySegment to) {
        maker.make(offset, to);
    }
}
