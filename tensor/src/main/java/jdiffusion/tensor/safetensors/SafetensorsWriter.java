package jdiffusion.tensor.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import jdiffusion.tensor.Tensor;

/**
 * Writes safetensors files. The same tensors give the same bytes: those of the widest types come first, so that each
 * begins at a multiple of its element size, and among equals the names decide.
 */
public final class SafetensorsWriter {
    private static final int BUFFER = 1 << 20;
    /** Header and its length together are a multiple of this, as the Python library writes them. */
    private static final int ALIGNMENT = 8;

    private SafetensorsWriter() {
    }

    /**
     * Writes the file whole or not at all, replacing one of that name. Tensors are read row by row and may have gaps
     * between rows and be larger than the heap.
     *
     * @param tensors  tensors in host memory, by name
     * @param metadata free text for the header; may be empty
     * @throws jdiffusion.tensor.InputException when the file cannot be written
     */
    public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) {
        List<Map.Entry<String, Tensor>> ordered = new ArrayList<>(tensors.entrySet());
        ordered.sort(Comparator.comparingInt((Map.Entry<String, Tensor> t) -> -t.getValue().type().bytes())
                .thenComparing(Map.Entry::getKey));
        byte[] header = header(ordered, metadata);
        OutputFile.write(path, channel -> {
            Sink sink = new Sink(channel);
            sink.write(MemorySegment.ofArray(header), 0, header.length);
            for (Map.Entry<String, Tensor> tensor : ordered) {
                sink.write(tensor.getValue());
            }
            sink.flush();
        });
    }

    /** Length, JSON object and padding. */
    private static byte[] header(List<Map.Entry<String, Tensor>> tensors, Map<String, String> metadata) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.writeBytes(new byte[Long.BYTES]);
        try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart(SafetensorsHeader.METADATA);
                for (Map.Entry<String, String> entry : new TreeMap<>(metadata).entrySet()) {
                    json.writeStringField(unicode(entry.getKey()), unicode(entry.getValue()));
                }
                json.writeEndObject();
            }
            long offset = 0;
            for (Map.Entry<String, Tensor> tensor : tensors) {
                offset = describe(json, tensor.getKey(), tensor.getValue(), offset);
            }
            json.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot be, memory takes every byte", e);
        }
        while (bytes.size() % ALIGNMENT != 0) {
            bytes.write(' ');
        }
        byte[] header = bytes.toByteArray();
        int length = header.length - Long.BYTES;
        if (length > SafetensorsHeader.LARGEST) {
            throw new IllegalArgumentException("a header of " + length + " bytes, over the "
                    + SafetensorsHeader.LARGEST + " of the format");
        }
        ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).putLong(0, length);
        return header;
    }

    /** Writes one entry and returns the end of its data. */
    private static long describe(JsonGenerator json, String name, Tensor tensor, long begin) throws IOException {
        if (name.equals(SafetensorsHeader.METADATA)) {
            throw new IllegalArgumentException("no tensor can be called " + name);
        }
        long end = begin + tensor.byteSize();
        json.writeObjectFieldStart(unicode(name));
        json.writeStringField("dtype", tensor.type().name());
        json.writeFieldName("shape");
        int[] dims = tensor.shape().dims();
        json.writeArray(dims, 0, dims.length);
        json.writeFieldName("data_offsets");
        json.writeArray(new long[] {begin, end}, 0, 2);
        json.writeEndObject();
        return end;
    }

    /** The text itself; half a surrogate pair has no UTF-8, and Jackson would let it pass. */
    private static String unicode(String text) {
        if (!StandardCharsets.UTF_8.newEncoder().canEncode(text)) {
            throw new IllegalArgumentException("not Unicode text: " + InputException.shown(text));
        }
        return text;
    }

    /** Collects rows, which may be short, into large writes. */
    private static final class Sink {
        private final FileChannel channel;
        private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        private final MemorySegment memory = MemorySegment.ofBuffer(buffer);

        Sink(FileChannel channel) {
            this.channel = channel;
        }

        void write(Tensor tensor) throws IOException {
            if (tensor.byteSize() == 0) {
                return;
            }
            if (tensor.isContiguous()) {
                write(tensor.data(), 0, tensor.byteSize());
                return;
            }
            long rowBytes = (long) tensor.cols() * tensor.type().bytes();
            for (int r = 0; r < tensor.rows(); r++) {
                write(tensor.data(), tensor.rowOffset(r), rowBytes);
            }
        }

        void write(MemorySegment from, long offset, long size) throws IOException {
            for (long done = 0; done < size; ) {
                if (!buffer.hasRemaining()) {
                    flush();
                }
                int part = (int) Math.min(size - done, buffer.remaining());
                MemorySegment.copy(from, offset + done, memory, buffer.position(), part);
                buffer.position(buffer.position() + part);
                done += part;
            }
        }

        void flush() throws IOException {
            buffer.flip();
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
            buffer.clear();
        }
    }
}
