package jdiffusion.model.convert;

import java.lang.foreign.Arena;
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
import jdiffusion.model.quantize.StoredRows;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;

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
            case TRANSPOSED -> transposed(name, t);
            case CONVOLUTION -> new Outgoing(name, t.ours(), Shape.of(shape.dim(0), shape.dim(1), 1, 1), t.elements(),
                    t.stored());
            case LEADING_ONE -> new Outgoing(name, t.ours(), dropOnes
                    ? Shape.of(Arrays.copyOfRange(shape.dims(), 1, shape.rank())) : shape, t.elements(), t.stored());
            case PLAIN -> new Outgoing(name, t.ours(), shape, t.elements(), t.stored());
        };
    }

    /** Its bytes with rows and columns exchanged, where it is no more than numbers. */
    private static Outgoing transposed(String name, Outgoing t) {
        Shape shape = Shape.of(t.shape().dim(1), t.shape().dim(0));
        return new Outgoing(name, t.ours(), shape, new Turned(shape, t.elements()),
                t.stored() instanceof Stored.Plain p
                ? new Stored.Plain(p.type(), new TurnedContent(p.bytes(), shape, p.type().bytes())) : null);
    }

    /** One below the other. */
    private static Outgoing join(List<Outgoing> parts) {
        Outgoing first = parts.getFirst();
        int[] dims = first.shape().dims();
        dims[0] = parts.stream().mapToInt(part -> part.shape().dim(0)).sum();
        return new Outgoing(first.name(), first.ours(), Shape.of(dims),
                new Joined(Shape.of(dims), parts.stream().map(Outgoing::elements).toList()),
                StoredRows.join(parts.stream().map(Outgoing::stored).toList()));
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

    /** A matrix with rows and columns exchanged; such ones are small. */
    private record Turned(Shape shape, Elements whole) implements Elements {
        @Override
        public void read(long first, int count, float[] to, int at) {
            for (int i = 0; i < count; i++) {
                long row = (first + i) / shape.cols();
                long col = (first + i) % shape.cols();
                whole.read(col * shape.rows() + row, 1, to, at + i);
            }
        }
    }

    /**
     * The same for its bytes.
     *
     * @param shape after that
     * @param size  bytes of an element
     */
    private record TurnedContent(Content whole, Shape shape, int size) implements Content {
        @Override
        public long byteSize() {
            return whole.byteSize();
        }

        @Override
        public int unit() {
            return size;
        }

        @Override
        public void read(long offset, MemorySegment to) {
            MemorySegment all = Arena.ofAuto().allocate(Math.max(1, byteSize()), Long.BYTES);
            whole.readAll(all);
            for (long at = 0; at < to.byteSize(); at += size) {
                long i = (offset + at) / size;
                long from = i % shape.cols() * shape.rows() + i / shape.cols();
                MemorySegment.copy(all, from * size, to, at, size);
            }
        }
    }
}
