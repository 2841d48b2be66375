package jdiffusion.emulator.driver;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Memory outside of the heap to hand to JCuda, as {@link EmulatedDevice} demands. */
final class HostMemory {
    private HostMemory() {
    }

    /** Zeros, in the byte order of the device. */
    static ByteBuffer bytes(int count) {
        return ByteBuffer.allocateDirect(count).order(ByteOrder.nativeOrder());
    }

    static ByteBuffer floats(float... values) {
        ByteBuffer buffer = bytes(Float.BYTES * values.length);
        buffer.asFloatBuffer().put(values);
        return buffer;
    }

    static float[] floats(ByteBuffer buffer) {
        var values = new float[buffer.capacity() / Float.BYTES];
        buffer.asFloatBuffer().get(values);
        return values;
    }

    /** The text in UTF-8, ended by a zero. */
    static ByteBuffer text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return bytes(bytes.length + 1).put(bytes).rewind();
    }
}
