package jdiffusion.model.experiment;

import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import jdiffusion.tensor.Tensor;

/** numpy's archive of arrays: a ZIP of {@code .npy} files (NEP 1), float32 or float64, in C order. */
final class Npz {
    private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
    private static final String SUFFIX = ".npy";
    /** Magic, version, length and header together are a multiple of this. */
    private static final int ALIGNMENT = 64;
    private static final int MOST_HEADER = 1 << 16;
    private static final int PIECE = 1 << 16;
    private static final Pattern HEADER = Pattern.compile("\\{\\s*'descr':\\s*'([^']*)',\\s*'fortran_order':\\s*"
            + "(True|False),\\s*'shape':\\s*\\(([\\d,\\s]*)\\),?\\s*\\}\\s*");

    private Npz() {
    }

    static void write(Path file, Map<String, Tensor> tensors) {
        OutputFile.write(file, channel -> {
            // Closing would close the channel, which is still to be brought to the disk.
            ZipOutputStream zip = new ZipOutputStream(Channels.newOutputStream(channel), StandardCharsets.UTF_8);
            zip.setLevel(1);
            for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
                ZipEntry part = new ZipEntry(entry.getKey() + SUFFIX);
                // A fixed time, so that the same tensors give the same bytes; the earliest that the format has.
                part.setTimeLocal(LocalDateTime.of(1980, 1, 1, 0, 0));
                zip.putNextEntry(part);
                zip.write(header(entry.getValue().shape().dims()));
                float[] values = entry.getValue().toArray();
                ByteBuffer bytes = ByteBuffer.allocate(PIECE * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                for (int at = 0; at < values.length; at += PIECE) {
                    bytes.clear();
                    for (int i = at; i < Math.min(values.length, at + PIECE); i++) {
                        bytes.putFloat(values[i]);
                    }
                    zip.write(bytes.array(), 0, bytes.position());
                }
                zip.closeEntry();
            }
            zip.finish();
        });
    }

    private static byte[] header(int[] dims) {
        String shape = Arrays.stream(dims).mapToObj(String::valueOf).collect(Collectors.joining(", "))
                + (dims.length == 1 ? "," : "");
        String text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
        int before = MAGIC.length + 2 + Short.BYTES;
        int length = Math.ceilDiv(before + text.length() + 1, ALIGNMENT) * ALIGNMENT - before;
        ByteBuffer bytes = ByteBuffer.allocate(before + length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put(MAGIC).put((byte) 1).put((byte) 0).putShort((short) length);
        bytes.put((text + " ".repeat(length - text.length() - 1) + "\n").getBytes(StandardCharsets.US_ASCII));
        return bytes.array();
    }

    static Map<String, Tensor> read(Path file) {
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        try (InputStream in = Files.newInputStream(file);
                ZipInputStream zip = new ZipInputStream(in, StandardCharsets.UTF_8)) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                String name = entry.getName();
                String array = name.endsWith(SUFFIX) ? name.substring(0, name.length() - SUFFIX.length()) : name;
                tensors.put(array, array(file + ": " + name, new DataInputStream(zip)));
            }
        } catch (IOException e) {
            throw new InputException(file + ": cannot be read (" + e.getMessage() + "); is it a .npz of numpy?", e);
        }
        if (tensors.isEmpty()) {
            throw new InputException(file + ": has no arrays; is it a .npz of numpy?");
        }
        return tensors;
    }

    private static Tensor array(String what, DataInputStream in) throws IOException {
        byte[] start = in.readNBytes(MAGIC.length + 2);
        if (!Arrays.equals(MAGIC, Arrays.copyOf(start, MAGIC.length)) || start.length < MAGIC.length + 2) {
            throw new InputException(what + ": is no .npy array");
        }
        boolean wide = start[MAGIC.length] > 1;
        byte[] size = in.readNBytes(wide ? Integer.BYTES : Short.BYTES);
        long length = size.length < 2 ? 0 : wide ? ByteBuffer.wrap(size).order(ByteOrder.LITTLE_ENDIAN).getInt()
                : ByteBuffer.wrap(size).order(ByteOrder.LITTLE_ENDIAN).getShort() & 0xffff;
        if (length < 1 || length > MOST_HEADER) {
            throw new InputException(what + ": has a damaged header");
        }
        String header = new String(in.readNBytes((int) length), StandardCharsets.UTF_8);
        Matcher matcher = HEADER.matcher(header);
        if (!matcher.matches()) {
            throw new InputException(what + ": its header " + InputException.shown(header.strip())
                    + " is not understood");
        }
        boolean doubles = matcher.group(1).equals("<f8");
        if (!doubles && !matcher.group(1).equals("<f4") || matcher.group(2).equals("True")) {
            throw new InputException(what + ": is of type " + matcher.group(1) + (matcher.group(2).equals("True")
                    ? " in Fortran order" : "") + "; float32 and float64 in C order are read");
        }
        return Tensor.of(values(what, in, count(what, matcher.group(3)), doubles), dims(matcher.group(3)));
    }

    private static int[] dims(String shape) {
        return Arrays.stream(shape.split(",")).map(String::strip).filter(part -> !part.isEmpty())
                .mapToInt(Integer::parseInt).toArray();
    }

    private static int count(String what, String shape) {
        long count = 1;
        for (String part : shape.split(",")) {
            String digits = part.strip();
            if (digits.length() > 9) {
                throw new InputException(what + ": (" + shape + ") is too large");
            }
            count = digits.isEmpty() ? count : Math.min(Integer.MAX_VALUE, count * Long.parseLong(digits));
        }
        if (count > Integer.MAX_VALUE - 8) {
            throw new InputException(what + ": (" + shape + ") is too large");
        }
        return (int) count;
    }

    /** In pieces, so that a damaged header does not take memory that no numbers follow. */
    private static float[] values(String what, DataInputStream in, int count, boolean doubles) throws IOException {
        float[] values = new float[Math.min(count, PIECE)];
        int width = doubles ? Double.BYTES : Float.BYTES;
        for (int at = 0; at < count; at += PIECE) {
            int here = Math.min(PIECE, count - at);
            byte[] bytes = in.readNBytes(here * width);
            if (bytes.length < here * width) {
                throw new InputException(what + ": ends before its numbers do");
            }
            if (values.length < at + here) {
                values = Arrays.copyOf(values, (int) Math.min(count, 2L * values.length));
            }
            ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
            for (int i = 0; i < here; i++) {
                values[at + i] = doubles ? (float) buffer.getDouble() : buffer.getFloat();
            }
        }
        return values;
    }
}
