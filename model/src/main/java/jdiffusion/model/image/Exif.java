package jdiffusion.model.image;

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * The EXIF block of a JPEG, PNG, WebP or TIFF file (CIPA DC-008): a TIFF directory, and one more that it points to.
 * Neither is followed further, so that no circle of directories is a trap, and of a damaged block what is whole counts.
 */
public final class Exif {
    /** Name and version of the program that wrote the file. */
    public static final int SOFTWARE = 0x131;
    /** Camera maker; ComfyUI's WebP files keep the workflow there. */
    public static final int MAKE = 0x10f;
    /** Camera; ComfyUI's WebP files keep the graph there, and old ones of SwarmUI their settings. */
    public static final int CAMERA = 0x110;
    /** Title; some of ComfyUI's nodes keep the workflow there. */
    public static final int DESCRIPTION = 0x10e;
    /** Fooocus writes there in which form its settings are. */
    public static final int MAKER_NOTE = 0x927c;

    static final int PHOTOMETRIC = 0x106;
    private static final int COLOUR_MAP = 0x140;
    private static final int ORIENTATION = 0x112;
    private static final int EXIF_DIRECTORY = 0x8769;
    private static final int USER_COMMENT = 0x9286;
    private static final int ENTRY = 12;
    private static final int CODE = 8;
    private static final int LARGEST_VALUE = 4 << 20;
    /** Bytes of one value, by TIFF's number for its type. */
    private static final int[] SIZES = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
    private static final int LARGEST_BLOCK = 64 << 20;

    /** Access to a block's bytes. */
    @FunctionalInterface
    private interface Block {
        /** As many of the bytes from {@code at} on as there are, up to {@code length}. */
        byte[] read(long at, int length) throws IOException;
    }

    private final Map<Integer, byte[]> values = new TreeMap<>();
    private ByteOrder order = ByteOrder.BIG_ENDIAN;
    private byte[] comment;

    private Exif() {
    }

    /** The file's block; an empty one where there is none. */
    public static Exif of(Path file) {
        try (FileChannel channel = InputFile.open(file)) {
            byte[] start = read(channel, 0, CODE + 4);
            if (JpegSegments.startsWith(start, PngText.SIGNATURE)) {
                byte[] block = PngText.exif(file);
                return block == null ? of(rawProfile(file)) : of(block);
            }
            if (JpegSegments.startsWith(start, new byte[] {(byte) 0xff, (byte) 0xd8})) {
                channel.position(0);
                JpegSegments segments = JpegSegments.read(new DataInputStream(Channels.newInputStream(channel)));
                Exif exif = of(segments.exif());
                exif.comment = segments.comment();
                return exif;
            }
            if (isWebp(start)) {
                return of(webp(channel));
            }
            Exif tiff = new Exif();
            tiff.read((at, length) -> read(channel, at, length));
            return tiff;
        } catch (IOException e) {
            throw InputFile.unreadable(file, e);
        }
    }

    /** A block in memory, with or without the name before it that JPEG asks for and others do not; null for none. */
    static Exif of(byte[] block) {
        Exif exif = new Exif();
        if (block != null) {
            byte[] name = {'E', 'x', 'i', 'f', 0, 0};
            int skip = JpegSegments.startsWith(block, name) ? name.length : 0;
            try {
                exif.read((at, length) -> at + skip >= block.length || at < 0 ? new byte[0]
                        : Arrays.copyOfRange(block, (int) at + skip, (int) Math.min(block.length, at + skip + length)));
            } catch (IOException e) {
                throw new IllegalStateException(e); // memory does not fail
            }
        }
        return exif;
    }

    private void read(Block block) throws IOException {
        byte[] head = block.read(0, CODE);
        if (head.length < CODE || head[0] != head[1] || head[0] != 'I' && head[0] != 'M') {
            return;
        }
        order = head[0] == 'I' ? ByteOrder.LITTLE_ENDIAN : ByteOrder.BIG_ENDIAN;
        if (in(head).getShort(2) == 42) {
            directory(block, Integer.toUnsignedLong(in(head).getInt(4)));
            long more = number(EXIF_DIRECTORY);
            if (more > 0) {
                directory(block, more);
            }
        }
    }

    /** Takes the entries of one directory that are whole; the first of a tag counts. */
    private void directory(Block block, long at) throws IOException {
        byte[] count = block.read(at, 2);
        if (count.length < 2) {
            return;
        }
        byte[] entries = block.read(at + 2, (in(count).getShort(0) & 0xffff) * ENTRY);
        for (int i = 0; i + ENTRY <= entries.length; i += ENTRY) {
            ByteBuffer entry = in(entries);
            int tag = entry.getShort(i) & 0xffff;
            int type = entry.getShort(i + 2) & 0xffff;
            long length = Integer.toUnsignedLong(entry.getInt(i + 4)) * (type < SIZES.length ? SIZES[type] : 0);
            if (length == 0 || length > LARGEST_VALUE) {
                continue;
            }
            byte[] value = length <= 4 ? Arrays.copyOfRange(entries, i + 8, i + 8 + (int) length)
                    : block.read(Integer.toUnsignedLong(entry.getInt(i + 8)), (int) length);
            if (value.length == length) {
                values.putIfAbsent(tag, value);
            }
        }
    }

    private ByteBuffer in(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(order);
    }

    /** The first whole number of an entry; -1 without. */
    long number(int tag) {
        byte[] value = values.get(tag);
        return value == null ? -1 : switch (value.length) {
            case 1 -> value[0] & 0xff;
            case 2, 3 -> in(value).getShort(0) & 0xffff;
            // One of four bytes, or two of two.
            default -> tag == EXIF_DIRECTORY ? Integer.toUnsignedLong(in(value).getInt(0)) : shortOrInt(value);
        };
    }

    private long shortOrInt(byte[] value) {
        long whole = Integer.toUnsignedLong(in(value).getInt(0));
        return whole <= 0xffff ? whole : in(value).getShort(0) & 0xffff;
    }

    /** A TIFF palette: all reds, greens and blues, the upper bytes of 16 bits each; null without. */
    byte[] colourMap() {
        byte[] value = values.get(COLOUR_MAP);
        if (value == null) {
            return null;
        }
        byte[] upper = new byte[value.length / 2];
        for (int i = 0; i < upper.length; i++) {
            upper[i] = (byte) (in(value).getShort(2 * i) >> 8);
        }
        return upper;
    }

    /** Which side of the stored picture is its top: 1 to 8, and 1 where the file says nothing or nonsense. */
    public int orientation() {
        long value = number(ORIENTATION);
        return value >= 1 && value <= 8 ? (int) value : 1;
    }

    /** An entry as text, without what fills it up; null without. */
    public String text(int tag) {
        byte[] value = values.get(tag);
        return value == null ? null : PngText.decode(value).replaceAll("^\0+|\0+$", "");
    }

    /**
     * The text that image generators write in place of a user's comment; null without. Eight bytes before it name the
     * code. UTF-16 is in the block's byte order, as the standard says, or in the other one, as many programs write it.
     */
    public String userComment() {
        byte[] value = values.get(USER_COMMENT);
        if (value == null || value.length < CODE) {
            return value == null ? null : text(USER_COMMENT);
        }
        String code = new String(value, 0, CODE, StandardCharsets.ISO_8859_1).replace("\0", "").strip();
        byte[] body = Arrays.copyOfRange(value, CODE, value.length);
        String comment = switch (code) {
            case "UNICODE" -> utf16(body);
            case "ASCII", "" -> PngText.decode(body);
            default -> PngText.decode(code.equals("JIS") ? body : value);
        };
        return comment.replaceAll("^\uFEFF|\0+$", "");
    }

    /** A JPEG file's own comment (COM), which is no part of EXIF; null without. */
    public String comment() {
        return comment == null ? null : PngText.decode(comment);
    }

    private String utf16(byte[] body) {
        int even = 0;
        int odd = 0;
        for (int i = 0; i < body.length; i++) {
            if (body[i] == 0 && i % 2 == 0) {
                even++;
            } else if (body[i] == 0) {
                odd++;
            }
        }
        // Of letters, digits and punctuation the upper byte is 0; other scripts have spaces at least.
        Charset charset = even > odd ? StandardCharsets.UTF_16BE : odd > even ? StandardCharsets.UTF_16LE
                : order == ByteOrder.BIG_ENDIAN ? StandardCharsets.UTF_16BE : StandardCharsets.UTF_16LE;
        try {
            // Half a letter at the end only fills the field up. Some programs name this code and write UTF-8, which has
            // no zeros.
            return even + odd == 0 ? StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(body)).toString()
                    : new String(body, 0, body.length & ~1, charset);
        } catch (CharacterCodingException _) {
            return new String(body, 0, body.length & ~1, charset);
        }
    }

    /** ImageMagick's text of that name before PNG had eXIf: a name, a length, and hexadecimal digits. */
    private static byte[] rawProfile(Path file) {
        try {
            for (PngText text : PngText.all(file)) {
                if (text.keyword().equals("Raw profile type exif") || text.keyword().equals("Raw profile type APP1")) {
                    String[] parts = text.text().strip().split("\\s+", 3);
                    return parts.length < 3 ? null : HexFormat.of().parseHex(parts[2].replaceAll("\\s", ""));
                }
            }
        } catch (InputException | IllegalArgumentException _) {
            return null; // no picture's place to complain about its texts
        }
        return null;
    }

    private static boolean isWebp(byte[] start) {
        return JpegSegments.startsWith(start, new byte[] {'R', 'I', 'F', 'F'}) && start.length == CODE + 4
                && new String(start, CODE, 4, StandardCharsets.ISO_8859_1).equals("WEBP");
    }

    /** The EXIF chunk of a WebP file; null without. */
    private static byte[] webp(FileChannel channel) throws IOException {
        for (long at = CODE + 4; at + CODE <= channel.size();) {
            ByteBuffer head = ByteBuffer.wrap(read(channel, at, CODE)).order(ByteOrder.LITTLE_ENDIAN);
            long length = Integer.toUnsignedLong(head.getInt(4));
            if (new String(head.array(), 0, 4, StandardCharsets.ISO_8859_1).equals("EXIF")) {
                return read(channel, at + CODE, (int) Math.min(length, LARGEST_BLOCK));
            }
            at += CODE + length + length % 2;
        }
        return null;
    }

    private static byte[] read(FileChannel channel, long at, int length) throws IOException {
        long there = Math.clamp(channel.size() - at, 0, length);
        ByteBuffer bytes = ByteBuffer.allocate((int) there);
        while (bytes.hasRemaining() && channel.read(bytes, at + bytes.position()) >= 0) {
            continue;
        }
        return Arrays.copyOf(bytes.array(), bytes.position());
    }
}
