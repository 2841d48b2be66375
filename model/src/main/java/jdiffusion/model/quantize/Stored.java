package jdiffusion.model.quantize;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Locale;
import java.util.function.Function;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FourBitWeight;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Stretched;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/** How a tensor is to be stored, its parts yet to be made. */
public sealed interface Stored {
    /** Bytes of all parts. */
    long byteSize();

    /** What a person calls this type. */
    String label();

    /** Elements of a plain type. */
    record Plain(DType type, Content bytes) implements Stored {
        @Override
        public long byteSize() {
            return bytes.byteSize();
        }

        @Override
        public String label() {
            return type.name().toLowerCase(Locale.ROOT);
        }
    }

    /** Elements of a narrow type that share one factor, F32. */
    record Scaled(DType type, Content bytes, Content scale) implements Stored {
        @Override
        public long byteSize() {
            return bytes.byteSize() + scale.byteSize();
        }

        @Override
        public String label() {
            return "scaled " + type.name().toLowerCase(Locale.ROOT);
        }
    }

    /** Blocks as GGUF stores them. */
    record Blocks(BlockFormat format, Content bytes) implements Stored {
        @Override
        public long byteSize() {
            return bytes.byteSize();
        }

        @Override
        public String label() {
            return format.name().toLowerCase(Locale.ROOT);
        }
    }

    /**
     * bitsandbytes' 4 bits; the parts are those of {@link FourBitWeight}.
     *
     * @param kind   nf4 or fp4
     * @param nested null when the scales are not quantised
     */
    record FourBit(String kind, Content codes, Tensor map, int blockSize, Content absmax, Nested nested)
            implements Stored {
        /** How the scales are quantised in turn. */
        public record Nested(int blockSize, Content absmax, Tensor map, float offset) {
        }

        @Override
        public long byteSize() {
            return codes.byteSize() + map.byteSize() + absmax.byteSize()
                    + (nested == null ? 0 : nested.absmax.byteSize() + nested.map.byteSize());
        }

        @Override
        public String label() {
            return nested == null ? kind : kind + "-double";
        }
    }

    /** A matrix as the checkpoint has it; null when it is put together of parts that do not join, or is adapted. */
    static Stored of(Weight weight) {
        return switch (weight) {
            case Weight.Dense dense -> of(dense.tensor());
            case Weight.Scaled s -> new Scaled(s.tensor().type(), Content.of(s.tensor()),
                    Content.of(Tensor.of(new float[] {s.scale()}, 1)));
            case Weight.Blocks b -> new Blocks(b.format(), Content.of(b.bytes()));
            case FourBitWeight f -> new FourBit(CodeMap.kind(f.map()), Content.of(f.codes()), f.map(),
                    f.blockSize(), Content.of(f.absmax()), f.nested() == null ? null
                    : new FourBit.Nested(f.nested().blockSize(), Content.of(f.nested().absmax()), f.nested().map(),
                    f.nested().offset()));
            case Weight.Rows rows -> StoredRows.join(rows.parts().stream().map(Stored::of).toList());
            case Weight.Adapted _, Stretched _ -> null;
        };
    }

    static Stored of(Tensor tensor) {
        return new Plain(tensor.type(), Content.of(tensor));
    }

    /** The matrix [rows, cols] made in memory of the arena. */
    default Weight weight(int rows, int cols, Arena arena) {
        return weight(rows, cols, content -> {
            MemorySegment memory = arena.allocate(Math.max(1, content.byteSize()), 64);
            content.readAll(memory);
            return memory;
        });
    }

    /** @param memory where a part lies */
    default Weight weight(int rows, int cols, Function<Content, MemorySegment> memory) {
        return switch (this) {
            case Plain p -> Weight.of(Tensor.of(memory.apply(p.bytes), p.type, Shape.of(rows, cols)));
            case Scaled s -> {
                MemorySegment scale = MemorySegment.ofArray(new float[1]);
                s.scale.readAll(scale);
                yield new Weight.Scaled(Tensor.of(memory.apply(s.bytes), s.type, Shape.of(rows, cols)),
                        Tensor.of(scale, DType.F32, Shape.of(1)).get(0, 0));
            }
            case Blocks b -> new Weight.Blocks(cols, b.format, Tensor.of(memory.apply(b.bytes), DType.U8,
                    Shape.of(rows, Math.toIntExact(b.bytes.byteSize() / rows))));
            case FourBit f -> new FourBitWeight(rows, cols, vector(f.codes, DType.U8, memory), f.map, f.blockSize,
                    vector(f.absmax, f.nested == null ? DType.F32 : DType.U8, memory), f.nested == null ? null
                    : new FourBitWeight.Nested(f.nested.blockSize, vector(f.nested.absmax, DType.F32, memory),
                    f.nested.map, f.nested.offset));
        };
    }

    private static Tensor vector(Content content, DType type, Function<Content, MemorySegment> memory) {
        return Tensor.of(memory.apply(content), type,
                Shape.of(Math.toIntExact(content.byteSize() / type.bytes())));
    }
}
