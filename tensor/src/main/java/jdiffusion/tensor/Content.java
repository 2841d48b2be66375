package jdiffusion.tensor;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The bytes of a tensor that is to be written, made piece by piece: in any order, and by several threads at once. So
 * a tensor that is computed, or larger than memory, is written like one that is there.
 */
public interface Content {
    /** About how many bytes are made at a time. */
    int PIECE = 4 << 20;

    long byteSize();

    /** Pieces begin at multiples of this many bytes, and all but the last end there. */
    int unit();

    /** Makes the bytes from {@code offset} on, as many as {@code to} has room for. */
    void read(long offset, MemorySegment to);

    /** The elements of a tensor in host memory, gaps between its rows closed. */
    static Content of(Tensor tensor) {
        return new TensorContent(tensor);
    }

    /** A few bytes that are there. */
    static Content of(byte[] bytes) {
        return of(Tensor.of(MemorySegment.ofArray(bytes), DType.U8, Shape.of(bytes.length)));
    }

    /** One after the other; all but the last must be whole units of one size. */
    static Content concat(List<Content> parts) {
        return parts.size() == 1 ? parts.getFirst() : new Concat(List.copyOf(parts));
    }

    /** Bytes {@code offset} to {@code offset + size}, which are whole units but for the end of the content. */
    default Content slice(long offset, long size) {
        return new Slice(this, offset, size);
    }

    /** Bytes of a piece: about {@link #PIECE}, in whole units. */
    default int pieceSize() {
        return Math.max(1, PIECE / unit()) * unit();
    }

    /** Makes all of it at once, on all cores. */
    default void readAll(MemorySegment to) {
        int size = pieceSize();
        int pieces = Math.toIntExact(Math.ceilDiv(byteSize(), size));
        IntStream.range(0, pieces).parallel().forEach(i -> {
            long offset = (long) i * size;
            read(offset, to.asSlice(offset, Math.min(size, byteSize() - offset)));
        });
    }

    /** See {@link #of(Tensor)}. */
    record TensorContent(Tensor tensor) implements Content {
        @Override
        public long byteSize() {
            return tensor.byteSize();
        }

        @Override
        public int unit() {
            return tensor.isContiguous() ? tensor.type().bytes()
                    : Math.max(1, tensor.cols()) * tensor.type().bytes();
        }

        @Override
        public void read(long offset, MemorySegment to) {
            if (tensor.isContiguous()) {
                MemorySegment.copy(tensor.data(), offset, to, 0, to.byteSize());
                return;
            }
            long rowBytes = unit();
            for (long done = 0; done < to.byteSize(); done += rowBytes) {
                int row = Math.toIntExact((offset + done) / rowBytes);
                MemorySegment.copy(tensor.data(), tensor.rowOffset(row), to, done, rowBytes);
            }
        }
    }

    /** See {@link #concat}. */
    record Concat(List<Content> parts) implements Content {
        public Concat {
            int unit = parts.getFirst().unit();
            for (Content part : parts) {
                if (part.unit() != unit || part != parts.getLast() && part.byteSize() % unit != 0) {
                    throw new IllegalArgumentException(part.byteSize() + " bytes in units of " + part.unit()
                            + " do not join others of " + unit);
                }
            }
        }

        @Override
        public long byteSize() {
            return parts.stream().mapToLong(Content::byteSize).sum();
        }

        @Override
        public int unit() {
            return parts.getFirst().unit();
        }

        @Override
        public void read(long offset, MemorySegment to) {
            long begin = 0;
            for (Content part : parts) {
                long from = Math.max(offset, begin);
                long end = Math.min(offset + to.byteSize(), begin + part.byteSize());
                if (from < end) {
                    part.read(from - begin, to.asSlice(from - offset, end - from));
                }
                begin += part.byteSize();
            }
        }
    }

    /** See {@link #slice}. */
    record Slice(Content whole, long offset, long byteSize) implements Content {
        public Slice {
            if (offset % whole.unit() != 0 || offset + byteSize > whole.byteSize()) {
                throw new IllegalArgumentException("bytes " + offset + " to " + (offset + byteSize) + " of "
                        + whole.byteSize() + " in units of " + whole.unit());
            }
        }

        @Override
        public int unit() {
            return whole.unit();
        }

        @Override
        public void read(long from, MemorySegment to) {
            whole.read(offset + from, to);
        }
    }
}
