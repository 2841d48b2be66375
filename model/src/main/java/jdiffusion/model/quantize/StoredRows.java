package jdiffusion.model.quantize;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Predicate;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.Tensor;

/** Matrices one below the other, put together as they are stored: no element is made anew. */
public final class StoredRows {
    private StoredRows() {
    }

    /**
     * The parts as one; null when they are stored in ways that do not join.
     *
     * @param parts at least one, of equally many columns; null for one that is not stored as it is
     */
    public static Stored join(List<Stored> parts) {
        return switch (parts.getFirst()) {
            case Stored.Plain a when all(parts, s -> s instanceof Stored.Plain b && b.type() == a.type()) ->
                    new Stored.Plain(a.type(), concat(parts, s -> ((Stored.Plain) s).bytes()));
            case Stored.Blocks a when all(parts, s -> s instanceof Stored.Blocks b && b.format() == a.format()) ->
                    new Stored.Blocks(a.format(), concat(parts, s -> ((Stored.Blocks) s).bytes()));
            case Stored.Scaled a when all(parts, s -> s instanceof Stored.Scaled b && b.type() == a.type()
                    && equal(a.scale(), b.scale())) ->
                    new Stored.Scaled(a.type(), concat(parts, s -> ((Stored.Scaled) s).bytes()), a.scale());
            case Stored.FourBit a when all(parts, s -> joins(a, s)) -> fourBit(a, parts);
            case null, default -> null;
        };
    }

    private static boolean all(List<Stored> parts, Predicate<Stored> test) {
        return parts.stream().allMatch(test);
    }

    private static Content concat(List<Stored> parts, Function<Stored, Content> content) {
        return Content.concat(parts.stream().map(content).toList());
    }

    /** Whether codes follow codes and scales follow scales: blocks end where the part does. */
    private static boolean joins(Stored.FourBit a, Stored part) {
        return part instanceof Stored.FourBit b && b.blockSize() == a.blockSize() && equal(a.map(), b.map())
                && 2 * b.codes().byteSize() % b.blockSize() == 0
                && (a.nested() == null ? b.nested() == null : b.nested() != null
                && b.nested().blockSize() == a.nested().blockSize() && b.nested().offset() == a.nested().offset()
                && equal(a.nested().map(), b.nested().map())
                && b.absmax().byteSize() % b.nested().blockSize() == 0);
    }

    private static Stored fourBit(Stored.FourBit first, List<Stored> parts) {
        Stored.FourBit.Nested nested = first.nested();
        return new Stored.FourBit(first.kind(), concat(parts, s -> ((Stored.FourBit) s).codes()), first.map(),
                first.blockSize(), concat(parts, s -> ((Stored.FourBit) s).absmax()), nested == null ? null
                : new Stored.FourBit.Nested(nested.blockSize(),
                        concat(parts, s -> ((Stored.FourBit) s).nested().absmax()), nested.map(), nested.offset()));
    }

    private static boolean equal(Tensor a, Tensor b) {
        return Arrays.equals(a.toArray(), b.toArray());
    }

    private static boolean equal(Content a, Content b) {
        return Arrays.equals(bytes(a), bytes(b));
    }

    private static byte[] bytes(Content content) {
        byte[] bytes = new byte[Math.toIntExact(content.byteSize())];
        content.readAll(MemorySegment.ofArray(bytes));
        return bytes;
    }
}
