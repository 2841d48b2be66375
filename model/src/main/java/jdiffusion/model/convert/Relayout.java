package jdiffusion.model.convert;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.checkpoint.names.Mapped;
import jdiffusion.model.checkpoint.names.Naming;
import jdiffusion.model.quantize.Elements;
import jdiffusion.model.quantize.Stored;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** A component's tensors under the names of another layout, joined and turned as that has them. */
final class Relayout {
    private Relayout() {
    }

    /**
     * @param prefix   of all names in the file
     * @param dropOnes whether a table of positions loses its leading 1, as in GGUF files
     */
    static List<Outgoing> of(List<Outgoing> tensors, Naming naming, String prefix, boolean dropOnes) {
        Map<String, Outgoing> byName = new LinkedHashMap<>();
        tensors.forEach(tensor -> byName.put(tensor.name(), tensor));
        List<Outgoing> all = new ArrayList<>();
        for (Mapped mapped : naming.toOriginal(byName.keySet())) {
            List<Outgoing> parts = mapped.names().stream().map(name -> {
                Outgoing part = byName.get(name);
                if (part == null) {
                    throw new InputException("the model has no " + name + ", which " + naming.label() + " join into "
                            + mapped.original());
                }
                return part;
            }).toList();
            Outgoing one = parts.size() == 1 ? parts.getFirst() : join(parts);
            all.add(turn(prefix + mapped.original(), one, mapped.form(), dropOnes));
        }
        return all;
    }

    private static Outgoing turn(String name, Outgoing t, Mapped.Form form, boolean dropOnes) {
        Shape shape = t.shape();
        return switch (form) {
            case SWAPPED -> new Outgoing(name, t.ours(), shape, new Swapped(t.elements()), swap(t.stored(), shape));
            case CONVOLUTION -> new Outgoing(name, t.ours(), Shape.of(shape.dim(0), shape.dim(1), 1, 1), t.elements(),
                    t.stored());
            case LEADING_ONE -> new Outgoing(name, t.ours(), dropOnes
                    ? Shape.of(Arrays.copyOfRange(shape.dims(), 1, shape.rank())) : shape, t.elements(), t.stored());
            case PLAIN -> new Outgoing(name, t.ours(), shape, t.elements(), t.stored());
        };
    }

    /** One below the other. */
    private static Outgoing join(List<Outgoing> parts) {
        Outgoing first = parts.getFirst();
        int[] dims = first.shape().dims();
        dims[0] = parts.stream().mapToInt(part -> part.shape().dim(0)).sum();
        return new Outgoing(first.name(), first.ours(), Shape.of(dims),
                new Joined(Shape.of(dims), parts.stream().map(Outgoing::elements).toList()),
                join(parts.stream().map(Outgoing::stored).toList(), first.stored()));
    }

    /** Null when the parts are stored in ways that do not join. */
    private static Stored join(List<Stored> parts, Stored first) {
        if (first instanceof Stored.Plain p
                && parts.stream().allMatch(s -> s instanceof Stored.Plain q && q.type() == p.type())) {
            return new Stored.Plain(p.type(), Content.concat(parts.stream()
                    .map(s -> ((Stored.Plain) s).bytes()).toList()));
        }
        if (first instanceof Stored.Blocks b
                && parts.stream().allMatch(s -> s instanceof Stored.Blocks c && c.format() == b.format())) {
            return new Stored.Blocks(b.format(), Content.concat(parts.stream()
                    .map(s -> ((Stored.Blocks) s).bytes()).toList()));
        }
        if (first instanceof Stored.Scaled a && parts.stream().allMatch(s -> s instanceof Stored.Scaled b
                && b.type() == a.type() && equal(a.scale(), b.scale()))) {
            return new Stored.Scaled(a.type(), Content.concat(parts.stream()
                    .map(s -> ((Stored.Scaled) s).bytes()).toList()), a.scale());
        }
        return first instanceof Stored.FourBit a && parts.stream().allMatch(s -> joins(a, s)) ? joinFourBit(parts)
                : null;
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

    private static Stored joinFourBit(List<Stored> stored) {
        List<Stored.FourBit> parts = stored.stream().map(Stored.FourBit.class::cast).toList();
        Stored.FourBit first = parts.getFirst();
        Stored.FourBit.Nested nested = first.nested();
        return new Stored.FourBit(first.kind(), Content.concat(parts.stream().map(Stored.FourBit::codes).toList()),
                first.map(), first.blockSize(), Content.concat(parts.stream().map(Stored.FourBit::absmax).toList()),
                nested == null ? null : new Stored.FourBit.Nested(nested.blockSize(),
                        Content.concat(parts.stream().map(part -> part.nested().absmax()).toList()), nested.map(),
                        nested.offset()));
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

    private static Stored swap(Stored stored, Shape shape) {
        return shape.dim(0) % 2 != 0 ? null : switch (stored) {
            case Stored.Plain p -> new Stored.Plain(p.type(), swap(p.bytes()));
            case Stored.Scaled s -> new Stored.Scaled(s.type(), swap(s.bytes()), s.scale());
            case Stored.Blocks b -> new Stored.Blocks(b.format(), swap(b.bytes()));
            case null, default -> null;
        };
    }

    private static Content swap(Content bytes) {
        long half = bytes.byteSize() / 2;
        return Content.concat(List.of(bytes.slice(half, half), bytes.slice(0, half)));
    }

    /** Tensors one after the other. */
    private record Joined(Shape shape, List<Elements> parts) implements Elements {
        @Override
        public void read(long first, int count, float[] to, int at) {
            long begin = 0;
            for (Elements part : parts) {
                long size = part.shape().size();
                long from = Math.max(first, begin);
                long end = Math.min(first + count, begin + size);
                if (from < end) {
                    part.read(from - begin, Math.toIntExact(end - from), to, Math.toIntExact(at + from - first));
                }
                begin += size;
            }
        }
    }

    /** A tensor whose halves have changed places. */
    private record Swapped(Elements whole) implements Elements {
        @Override
        public Shape shape() {
            return whole.shape();
        }

        @Override
        public void read(long first, int count, float[] to, int at) {
            long half = shape().size() / 2;
            int n = Math.clamp(half - first, 0, count);
            if (n > 0) {
                whole.read(first + half, n, to, at);
            }
            if (n < count) {
                whole.read(first + n - half, count - n, to, at + n);
            }
        }
    }
}
