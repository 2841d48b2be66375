package jdiffusion.tensor.gguf;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Builds the bytes of a GGUF file piece by piece, right or wrong. */
final class GgufBytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** Magic, version and counts. */
    static GgufBytes start(int version, long tensors, long metadata) {
        return new GgufBytes().u32(0x46554747).u32(version).u64(tensors).u64(metadata);
    }

    GgufBytes u8(int value) {
        out.write(value);
        return this;
    }

    GgufBytes u16(int value) {
        return u8(value).u8(value >> 8);
    }

    GgufBytes u32(int value) {
        out.writeBytes(ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array());
        return this;
    }

    GgufBytes u64(long value) {
        out.writeBytes(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array());
        return this;
    }

    GgufBytes text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        u64(bytes.length).out.writeBytes(bytes);
        return this;
    }

    /** The key of a metadata entry and the type of its value. */
    GgufBytes key(String key, int type) {
        return text(key).u32(type);
    }

    /** @param dims as stored, the innermost first */
    GgufBytes tensor(String name, int type, long offset, long... dims) {
        text(name).u32(dims.length);
        for (long dim : dims) {
            u64(dim);
        }
        return u32(type).u64(offset);
    }

    /** Zeros up to a multiple of the alignment. */
    GgufBytes pad(int alignment) {
        while (out.size() % alignment != 0) {
            u8(0);
        }
        return this;
    }

    GgufBytes zeros(int count) {
        out.writeBytes(new byte[count]);
        return this;
    }

    byte[] bytes() {
        return out.toByteArray();
    }
}
