package jdiffusion.tensor.gguf;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import jdiffusion.tensor.BlockFormat;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.ContentWriter;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.OutputFile;

/**
 * Writes a GGUF file, version 3: metadata and tensors in the order in which they are added. Content is asked for one
 * tensor after the other, so a file may be larger than the heap.
 */
public final class GgufWriter {
    private static final int ALIGNMENT = GgufHeader.DEFAULT_ALIGNMENT;
    private static final int UINT8 = 0;
    private static final int UINT32 = 4;
    private static final int INT32 = 5;
    private static final int FLOAT32 = 6;
    private static final int STRING = 8;
    private static final int ARRAY = 9;
    private static final int UINT64 = 10;

    private final Map<String, byte[]> metadata = new LinkedHashMap<>();
    private final Map<String, Entry> entries = new LinkedHashMap<>();

    /**
     * A tensor.
     *
     * @param ggmlType {@link BlockFormat#ggmlType()} or {@link GgmlType#of}
     * @param dims     row-major, at most four; of a block format the last is whole blocks
     * @param byteSize of the content, as type and dims have it
     * @param content  writes exactly so many bytes at the channel's position and leaves this behind them
     */
    public record Entry(String name, int ggmlType, long[] dims, long byteSize, OutputFile.Content content) {
        public Entry {
            DType plain = GgmlType.plain(ggmlType);
            BlockFormat blocks = BlockFormat.of(ggmlType);
            long size = 1;
            for (long dim : dims) {
                size = Math.multiplyExact(size, Math.max(dim, 0));
            }
            long last = dims.length == 0 ? 1 : dims[dims.length - 1];
            if (dims.length > GgufHeader.MOST_DIMENSIONS || plain == null && blocks == null
                    || blocks != null && last % blocks.blockSize() != 0) {
                throw new IllegalArgumentException("GGUF has no tensor " + name + " of " + GgmlType.name(ggmlType)
                        + Arrays.toString(dims));
            }
            long needed = plain != null ? size * plain.bytes() : size / blocks.blockSize() * blocks.blockBytes();
            if (byteSize != needed) {
                throw new IllegalArgumentException("tensor " + name + " of " + GgmlType.name(ggmlType)
                        + Arrays.toString(dims) + " has " + needed + " bytes, not " + byteSize);
            }
        }
    }

    /** Content that is made piece by piece on all cores, together with that of its neighbours. */
    public record Pieces(Content content) implements OutputFile.Content {
        @Override
        public void writeTo(FileChannel channel) throws IOException {
            ContentWriter.write(channel, List.of(new ContentWriter.Part("", content)), _ -> { });
        }
    }

    public GgufWriter put(String key, String value) {
        return put(key, new Bytes().number(STRING).text(value));
    }

    /** An unsigned number of 32 bits. */
    public GgufWriter put(String key, int value) {
        return put(key, new Bytes().number(UINT32).number(value));
    }

    /** An unsigned number of 64 bits. */
    public GgufWriter put(String key, long value) {
        return put(key, new Bytes().number(UINT64).number(value));
    }

    public GgufWriter put(String key, float value) {
        return put(key, new Bytes().number(FLOAT32).number(Float.floatToRawIntBits(value)));
    }

    public GgufWriter put(String key, List<String> values) {
        Bytes bytes = new Bytes().number(ARRAY).number(STRING).number((long) values.size());
        values.forEach(bytes::text);
        return put(key, bytes);
    }

    /** Signed numbers of 32 bits. */
    public GgufWriter put(String key, int[] values) {
        Bytes bytes = new Bytes().number(ARRAY).number(INT32).number((long) values.length);
        Arrays.stream(values).forEach(bytes::number);
        return put(key, bytes);
    }

    /** Numbers of 32 bits. */
    public GgufWriter put(String key, float[] values) {
        Bytes bytes = new Bytes().number(ARRAY).number(FLOAT32).number((long) values.length);
        for (float value : values) {
            bytes.number(Float.floatToRawIntBits(value));
        }
        return put(key, bytes);
    }

    /** Unsigned bytes. */
    public GgufWriter put(String key, byte[] values) {
        Bytes bytes = new Bytes().number(ARRAY).number(UINT8).number((long) values.length);
        bytes.out.writeBytes(values);
        return put(key, bytes);
    }

    private GgufWriter put(String key, Bytes value) {
        if (metadata.put(key, value.out.toByteArray()) != null) {
            throw new IllegalArgumentException("metadata " + key + " twice");
        }
        return this;
    }

    public GgufWriter add(Entry entry) {
        if (entries.put(entry.name, entry) != null) {
            throw new IllegalArgumentException("tensor " + entry.name + " twice");
        }
        return this;
    }

    /** Bytes of the file. */
    public long fileSize() {
        long size = header().length;
        for (Entry entry : entries.values()) {
            size += aligned(entry.byteSize);
        }
        return size;
    }

    /**
     * Writes the file whole or not at all, replacing one of that name.
     *
     * @throws jdiffusion.tensor.InputException when the file cannot be written
     */
    public void write(Path path) {
        write(path, _ -> { });
    }

    /** @param written told how many bytes of {@link Pieces} have been written since the last call */
    public void write(Path path, LongConsumer written) {
        byte[] header = header();
        OutputFile.write(path, channel -> {
            OutputFile.put(channel, ByteBuffer.wrap(header));
            List<ContentWriter.Part> pieces = new ArrayList<>();
            for (Entry entry : entries.values()) {
                if (entry.content instanceof Pieces(Content content)) {
                    pieces.add(new ContentWriter.Part(entry.name, content));
                    pieces.add(new ContentWriter.Part(entry.name,
                            Content.of(new byte[(int) (aligned(entry.byteSize) - entry.byteSize)])));
                    continue;
                }
                ContentWriter.write(channel, pieces, written);
                pieces.clear();
                long end = channel.position() + entry.byteSize;
                entry.content.writeTo(channel);
                if (channel.position() != end) {
                    throw new IllegalStateException("the content of " + entry.name + " ends at byte "
                            + channel.position() + " of the file, not " + end);
                }
                OutputFile.put(channel, ByteBuffer.allocate((int) (aligned(end) - end)));
            }
            ContentWriter.write(channel, pieces, written);
        });
    }

    private static long aligned(long size) {
        return Math.ceilDiv(size, ALIGNMENT) * ALIGNMENT;
    }

    /** All that comes before the data, padding included. */
    private byte[] header() {
        Bytes bytes = new Bytes().number(GgufHeader.MAGIC).number(GgufHeader.NEWEST)
                .number((long) entries.size()).number((long) metadata.size());
        metadata.forEach((key, value) -> bytes.text(key).out.writeBytes(value));
        long offset = 0;
        for (Entry entry : entries.values()) {
            bytes.text(entry.name).number(entry.dims.length);
            for (int i = entry.dims.length - 1; i >= 0; i--) {
                bytes.number(entry.dims[i]);
            }
            bytes.number(entry.ggmlType).number(offset);
            offset += aligned(entry.byteSize);
        }
        return Arrays.copyOf(bytes.out.toByteArray(), Math.toIntExact(aligned(bytes.out.size())));
    }

    /** Numbers and texts as they are stored. */
    private static final class Bytes {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Bytes number(int value) {
            out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
            return this;
        }

        Bytes number(long value) {
            out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
            return this;
        }

        Bytes text(String text) {
            byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
            number((long) bytes.length).out.writeBytes(bytes);
            return this;
        }
    }
}
