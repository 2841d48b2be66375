package jdiffusion.tensor.safetensors;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.FileKind;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.JsonInput;
import jdiffusion.tensor.Shape;

/**
 * The header of a safetensors file: eight bytes that hold its length, then a JSON object of tensors, then the data.
 *
 * <p>Everything is checked here, by the rules in the README of the safetensors project ("Format") and its
 * {@code Metadata::validate}: a tensor that this class lets through lies inside the file, and the tensors cover the
 * data without overlap or gap. What is allocated is bounded by the header's real size, never by a number in it.
 *
 * @param metadata  the free text that the file carries about itself
 * @param tensors   by name
 * @param dataStart byte of the file at which the data begin
 */
record SafetensorsHeader(Map<String, String> metadata, SortedMap<String, Entry> tensors, long dataStart) {
    static final String METADATA = "__metadata__";
    static final int LARGEST = 100_000_000;
    private static final int LARGEST_KEPT = 1 << 20;
    private static final Recent RECENT = new Recent();
    private static final int MOST_ENTRIES = 200_000;
    private static final int MOST_DIMENSIONS = 64;
    private static final ValueLayout.OfLong LONG =
            ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** A tensor: bytes {@code begin} (included) to {@code end} (excluded) of the data. */
    record Entry(DType type, Shape shape, long begin, long end) {
    }

    /**
     * @param origin the file's name, for messages
     * @param file   all of its bytes
     */
    static SafetensorsHeader parse(String origin, MemorySegment file) {
        long size = file.byteSize();
        if (size < Long.BYTES) {
            throw new InputException(origin + ": has " + size + " bytes, too few for a safetensors file, which starts"
                    + " with the 8 bytes of its header's length; download it again");
        }
        long length = file.get(LONG, 0);
        if (length < 0 || length > LARGEST) {
            String kind = FileKind.of(file.asSlice(0, Math.min(size, FileKind.START)).toArray(ValueLayout.JAVA_BYTE));
            throw new InputException(origin + ": is not a safetensors file, or a damaged one: " + (kind != null
                    ? "it is " + kind : "its header would have " + Long.toUnsignedString(length)
                    + " bytes, but the format allows " + LARGEST + "; check the name, or download it again"));
        }
        if (length > size - Long.BYTES) {
            throw new InputException(origin + ": is cut short: its header has " + length + " bytes, but only "
                    + (size - Long.BYTES) + " follow the length; download it again");
        }
        if (length == 0 || file.get(ValueLayout.JAVA_BYTE, Long.BYTES) != '{') {
            throw new InputException(origin + ": is not a safetensors file: its header of " + length
                    + " bytes does not start with '{'" + (length == 0 ? ", as in a download that was broken off" : "")
                    + "; check the name, or download it again");
        }
        byte[] json = file.asSlice(Long.BYTES, length).toArray(ValueLayout.JAVA_BYTE);
        long dataSize = size - Long.BYTES - length;
        return RECENT.find(json, dataSize, () -> new Parser(origin, json, dataSize).parse(Long.BYTES + length));
    }

    /**
     * The headers that were parsed last. A run opens each of its files several times, first to look at shapes, and
     * parsing takes most of that.
     */
    private static final class Recent {
        private static final int MOST = 8;

        private final Deque<Parsed> kept = new ArrayDeque<>();

        private record Parsed(byte[] json, long dataSize, SafetensorsHeader header) {
        }

        /** The header of the same bytes, before as much data; parsed when there is none. */
        synchronized SafetensorsHeader find(byte[] json, long dataSize, Supplier<SafetensorsHeader> parser) {
            for (Parsed parsed : kept) {
                if (parsed.dataSize == dataSize && Arrays.equals(parsed.json, json)) {
                    return parsed.header;
                }
            }
            SafetensorsHeader header = parser.get();
            if (json.length <= LARGEST_KEPT) {
                kept.addFirst(new Parsed(json, dataSize, header));
                if (kept.size() > MOST) {
                    kept.removeLast();
                }
            }
            return header;
        }
    }

    private static final class Parser {
        private final String origin;
        private final JsonInput json;
        private final long dataSize;
        private final Map<String, String> metadata = new TreeMap<>();
        private final SortedMap<String, Entry> tensors = new TreeMap<>();

        Parser(String origin, byte[] json, long dataSize) {
            this.origin = origin;
            this.json = new JsonInput(origin + ": the header", json);
            this.dataSize = dataSize;
        }

        SafetensorsHeader parse(long dataStart) {
            json.object("it");
            boolean sawMetadata = false;
            for (String name = json.field(); name != null; name = json.field()) {
                if (!name.equals(METADATA)) {
                    readTensor(name);
                } else if (sawMetadata) {
                    throw json.fault(METADATA + " is there twice");
                } else {
                    sawMetadata = true;
                    readMetadata();
                }
            }
            json.end();
            checkCoverage();
            return new SafetensorsHeader(Collections.unmodifiableMap(metadata),
                    Collections.unmodifiableSortedMap(tensors), dataStart);
        }

        private void readMetadata() {
            if (!json.objectOrNull(METADATA)) {
                return;
            }
            for (String key = json.field(); key != null; key = json.field()) {
                String value = json.stringOrNull("the " + METADATA + " entry " + InputException.shown(key));
                if (value != null && metadata.put(key, value) != null) {
                    throw json.fault("the " + METADATA + " entry " + InputException.shown(key) + " is there twice");
                }
                checkCount(metadata.size(), METADATA + " entries");
            }
        }

        private void readTensor(String name) {
            String tensor = "tensor " + InputException.shown(name);
            json.object(tensor);
            String type = null;
            long[] dims = null;
            long[] offsets = null;
            for (String field = json.field(); field != null; field = json.field()) {
                boolean twice = switch (field) {
                    case "dtype" -> type != null;
                    case "shape" -> dims != null;
                    case "data_offsets" -> offsets != null;
                    default -> throw json.fault(tensor + " has the field " + InputException.shown(field)
                            + ", but the format knows only dtype, shape and data_offsets");
                };
                if (twice) {
                    throw json.fault(tensor + " has " + field + " twice");
                }
                switch (field) {
                    case "dtype" -> type = json.string("the dtype of " + tensor);
                    case "shape" -> dims = json.numbers("the shape of " + tensor, MOST_DIMENSIONS);
                    default -> offsets = json.numbers("data_offsets of " + tensor, 2);
                }
            }
            if (type == null || dims == null || offsets == null) {
                throw json.fault(tensor + " lacks "
                        + (type == null ? "its dtype" : dims == null ? "its shape" : "its data_offsets"));
            }
            if (tensors.put(name, entry(tensor, type, dims, offsets)) != null) {
                throw json.fault(tensor + " is there twice");
            }
            checkCount(tensors.size(), "tensors");
        }

        private Entry entry(String tensor, String typeName, long[] dims, long[] offsets) {
            DType type = DType.of(typeName);
            if (type == null) {
                throw new InputException(origin + ": " + tensor + " has dtype " + InputException.shown(typeName)
                        + ", which is not one of " + Arrays.stream(DType.values()).map(DType::name)
                        .collect(Collectors.joining(", ")) + "; convert the file to one of these");
            }
            Shape shape = shape(tensor, type, dims);
            if (offsets.length != 2 || offsets[0] > offsets[1]) {
                throw json.fault("data_offsets of " + tensor + " are " + Arrays.toString(offsets)
                        + ", not a begin and an end after it");
            }
            long needed = shape.size() * type.bytes();
            if (needed != offsets[1] - offsets[0]) {
                throw json.fault(tensor + ", " + type + shape + ", needs " + needed + " bytes, but its data_offsets "
                        + Arrays.toString(offsets) + " give it " + (offsets[1] - offsets[0]));
            }
            return new Entry(type, shape, offsets[0], offsets[1]);
        }

        /** Sizes whose product, also in bytes and in rows, is within what a {@link jdiffusion.tensor.Tensor} has. */
        private Shape shape(String tensor, DType type, long[] dims) {
            try {
                return Shape.ofStored(dims, type.bytes());
            } catch (ArithmeticException e) {
                throw json.fault(tensor + " has the shape " + Arrays.toString(dims)
                        + ", larger than the 2^31 - 1 rows of 2^31 - 1 elements that are possible");
            }
        }

        private void checkCount(int count, String what) {
            if (count > MOST_ENTRIES) {
                throw json.fault("it has more than " + MOST_ENTRIES + " " + what);
            }
        }

        private void checkCoverage() {
            List<Map.Entry<String, Entry>> byOffset = new ArrayList<>(tensors.entrySet());
            byOffset.sort(Comparator.comparingLong((Map.Entry<String, Entry> t) -> t.getValue().begin())
                    .thenComparingLong(t -> t.getValue().end()));
            long covered = 0;
            for (Map.Entry<String, Entry> next : byOffset) {
                Entry entry = next.getValue();
                if (entry.begin() != covered) {
                    throw json.fault("tensor " + InputException.shown(next.getKey()) + " begins at byte "
                            + entry.begin() + " of the data, but the one before it ends at " + covered
                            + (entry.begin() < covered ? ", so they overlap" : ", so bytes between belong to none"));
                }
                covered = entry.end();
            }
            if (covered > dataSize) {
                throw new InputException(origin + ": is cut short: its tensors need " + covered
                        + " bytes of data, but the file has " + dataSize + "; download it again");
            }
            if (covered < dataSize) {
                throw new InputException(origin + ": is damaged: its tensors need " + covered
                        + " bytes of data, but the file has " + dataSize + "; download it again");
            }
        }
    }
}
