package jdiffusion.tensor.safetensors;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongConsumer;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.ContentWriter;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/**
 * Writes safetensors files. The same tensors give the same bytes: those of the widest types come first, so that each
 * begins at a multiple of its element size, and among equals the names decide.
 */
public final class SafetensorsWriter {
    private static final String FILE = ".safetensors";
    private static final String INDEX = ".safetensors.index.json";
    /** Header and its length together are a multiple of this, as the Python library writes them. */
    private static final int ALIGNMENT = 8;

    private SafetensorsWriter() {
    }

    /** A tensor to be written. */
    public record Entry(String name, DType type, Shape shape, Content content) {
        public Entry {
            if (content.byteSize() != shape.size() * type.bytes()) {
                throw new IllegalArgumentException(name + " is " + type + shape + " of " + content.byteSize()
                        + " bytes");
            }
        }

        /** A tensor in host memory. */
        public static Entry of(String name, Tensor tensor) {
            return new Entry(name, tensor.type(), tensor.shape(), Content.of(tensor));
        }
    }

    /**
     * Writes the file whole or not at all, replacing one of that name. Tensors are read row by row and may have gaps
     * between rows and be larger than the heap.
     *
     * @param tensors  tensors in host memory, by name
     * @param metadata free text for the header; may be empty
     * @throws InputException when the file cannot be written
     */
    public static void write(Path path, Map<String, Tensor> tensors, Map<String, String> metadata) {
        List<Entry> entries = new ArrayList<>();
        tensors.forEach((name, tensor) -> entries.add(Entry.of(name, tensor)));
        write(path, entries, metadata, _ -> { });
    }

    /**
     * Writes the file whole or not at all, replacing one of that name, in memory that does not grow with it.
     *
     * @param metadata free text for the header; may be empty
     * @param written  told how many bytes of tensors have been written since the last call
     * @throws InputException when the file cannot be written; names the tensor
     */
    public static void write(Path path, Collection<Entry> entries, Map<String, String> metadata,
                             LongConsumer written) {
        List<Entry> ordered = new ArrayList<>(entries);
        ordered.sort(Comparator.comparingInt((Entry t) -> -t.type.bytes()).thenComparing(Entry::name));
        byte[] header = header(ordered, metadata);
        OutputFile.write(path, channel -> {
            OutputFile.put(channel, ByteBuffer.wrap(header));
            ContentWriter.write(channel,
                    ordered.stream().map(entry -> new ContentWriter.Part(entry.name, entry.content)).toList(), written);
        });
    }

    /**
     * Writes {@code <base>.safetensors}, or when that would have more than {@code most} bytes of tensors, shards in
     * the order of the entries and their index, as the Hugging Face libraries name them. Each file is whole or not
     * there; that all are is up to the caller, who writes into a folder that is not yet in its place.
     */
    public static void writeShards(Path folder, String base, List<Entry> entries, Map<String, String> metadata,
                                   long most, LongConsumer written) {
        List<List<Entry>> shards = shards(entries, most);
        if (shards.size() == 1) {
            write(folder.resolve(base + FILE), entries, metadata, written);
            return;
        }
        Map<String, String> shardOf = new LinkedHashMap<>();
        long total = 0;
        for (int i = 0; i < shards.size(); i++) {
            String name = String.format(Locale.ROOT, "%s-%05d-of-%05d%s", base, i + 1, shards.size(), FILE);
            write(folder.resolve(name), shards.get(i), metadata, written);
            for (Entry entry : shards.get(i)) {
                shardOf.put(entry.name, name);
                total += entry.content.byteSize();
            }
        }
        byte[] index = new ShardIndex(shardOf).toJson(total);
        OutputFile.write(folder.resolve(base + INDEX), channel -> OutputFile.put(channel, ByteBuffer.wrap(index)));
    }

    private static List<List<Entry>> shards(List<Entry> entries, long most) {
        List<List<Entry>> shards = new ArrayList<>();
        List<Entry> shard = new ArrayList<>();
        long bytes = 0;
        for (Entry entry : entries) {
            if (!shard.isEmpty() && bytes + entry.content.byteSize() > most) {
                shards.add(shard);
                shard = new ArrayList<>();
                bytes = 0;
            }
            shard.add(entry);
            bytes += entry.content.byteSize();
        }
        shards.add(shard);
        return shards;
    }

    /** Length, JSON object and padding. */
    private static byte[] header(List<Entry> tensors, Map<String, String> metadata) {
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
            for (Entry tensor : tensors) {
                offset = describe(json, tensor, offset);
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
    private static long describe(JsonGenerator json, Entry tensor, long begin) throws IOException {
        if (tensor.name.equals(SafetensorsHeader.METADATA)) {
            throw new IllegalArgumentException("no tensor can be called " + tensor.name);
        }
        long end = begin + tensor.content.byteSize();
        json.writeObjectFieldStart(unicode(tensor.name));
        json.writeStringField("dtype", tensor.type.name());
        json.writeFieldName("shape");
        int[] dims = tensor.shape.dims();
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
}
