package jdiffusion.lab;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** NumPy's array files, format version 1 to 3, elements of little-endian numbers in C order. */
final class Npy {
    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final Pattern DESCRIPTOR = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
    private static final Pattern ORDER = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
    private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([0-9,\\sL]*)\\)");

    private Npy() {}

    /** Reads a whole file. */
    static HostArray read(Path file, Arena arena) {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            throw LabException.misuse(file + ": there is no such file", e);
        } catch (IOException | OutOfMemoryError e) {
            throw LabException.misuse(file + ": cannot be read (" + e.getMessage() + ")", e);
        }
        if (bytes.length < 10 || !Arrays.equals(bytes, 0, 6, MAGIC, 0, 6)) {
            throw LabException.misuse(file + ": is no npy file");
        }
        var buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        int start = bytes[6] == 1 ? 10 : 12;
        long length = bytes[6] == 1 ? buffer.getShort(8) & 0xffff : bytes.length < 12 ? -1 : buffer.getInt(8);
        if (length < 0 || start + length > bytes.length) {
            throw LabException.misuse(file + ": its header is cut off");
        }
        String header = new String(bytes, start, (int) length, StandardCharsets.UTF_8);
        HostArray array = HostArray.zeros(type(header, file), shape(header, file), arena);
        long data = bytes.length - start - length;
        if (data != array.data().byteSize()) {
            throw LabException.misuse("%s: holds %d bytes, and %s %s need %d".formatted(file, data,
                    array.shapeText(), array.type().label(), array.data().byteSize()));
        }
        MemorySegment.copy(bytes, (int) (start + length), array.data(), ValueLayout.JAVA_BYTE, 0, (int) data);
        return array;
    }

    private static DataType type(String header, Path file) {
        Matcher order = ORDER.matcher(header);
        if (order.find() && order.group(1).equals("True")) {
            throw LabException.misuse(file + ": is in Fortran order; save numpy.ascontiguousarray of it");
        }
        Matcher descriptor = DESCRIPTOR.matcher(header);
        String name = descriptor.find() ? descriptor.group(1) : "";
        return Arrays.stream(DataType.values()).filter(t -> name.equals(t.descriptor()) || name.equals("|b1")
                && t == DataType.U8).findFirst().orElseThrow(() -> LabException.misuse(file + ": elements of type '"
                        + name + "' are not supported"));
    }

    private static long[] shape(String header, Path file) {
        Matcher shape = SHAPE.matcher(header);
        if (!shape.find()) {
            throw LabException.misuse(file + ": its header names no shape");
        }
        try {
            return Arrays.stream(shape.group(1).replace("L", "").split(",")).map(String::trim)
                    .filter(s -> !s.isEmpty()).mapToLong(Long::parseLong).toArray();
        } catch (NumberFormatException e) {
            throw LabException.misuse(file + ": its shape is (" + shape.group(1) + ")", e);
        }
    }

    /** Writes a file, whole or not at all; bfloat16 becomes float32. */
    static void write(Path file, HostArray array) {
        try (Arena arena = Arena.ofConfined()) {
            HostArray written = array;
            if (array.type() == DataType.BF16) {
                written = HostArray.zeros(DataType.F32, array.shape(), arena);
                for (long i = 0; i < array.count(); i++) {
                    DataType.F32.set(written.data(), i, array.get(i));
                }
            }
            WholeFile.write(file, bytes(written));
        } catch (IOException e) {
            throw LabException.misuse(file + ": cannot be written (" + e + ")", e);
        }
    }

    private static byte[] bytes(HostArray array) {
        String shape = Arrays.stream(array.shape()).mapToObj(n -> n + ",").collect(Collectors.joining(" "));
        String header = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }".formatted(
                array.type().descriptor(), shape);
        int length = Math.ceilDiv(10 + header.length() + 1, 64) * 64 - 10;
        header = header + " ".repeat(length - header.length() - 1) + "\n";
        var buffer = ByteBuffer.allocate(Math.toIntExact(10 + length + array.data().byteSize()))
                .order(ByteOrder.LITTLE_ENDIAN);
        buffer.put(MAGIC).put((byte) 1).put((byte) 0).putShort((short) length)
                .put(header.getBytes(StandardCharsets.ISO_8859_1)).put(array.data().asByteBuffer());
        return buffer.array();
    }
}
