package jdiffusion.model.tokenizer;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;

/**
 * Reads a {@code spiece.model} or {@code tokenizer.model}: a protocol buffer with pieces, the trainer's settings and
 * the normaliser's.
 *
 * <p>Source: {@code sentencepiece_model.proto}, and the protocol buffers' wire format.
 */
final class SentencePieceFile {
    private static final int VARINT = ProtocolBuffer.VARINT;
    private static final int FIXED64 = ProtocolBuffer.FIXED64;
    private static final int BYTES = ProtocolBuffer.BYTES;
    private static final int FIXED32 = ProtocolBuffer.FIXED32;

    private static final int NORMAL = 1;
    private static final int UNKNOWN = 2;
    private static final int CONTROL = 3;
    private static final int USER_DEFINED = 4;
    static final int UNIGRAM = 1;
    static final int BPE = 2;

    private final Path file;
    private final ByteBuffer in;
    private final Pieces pieces = new Pieces();
    private final List<AddedToken> added = new ArrayList<>();
    private byte[] charsMap = {};
    private int unk = -1;
    private boolean trained;
    private boolean normalises;
    private final int wanted;
    private final BitSet normal = new BitSet();
    private long modelType = UNIGRAM;
    private long byteFallback;
    private long removesSpaces = 1;

    /** A model of unigrams, as T5's. */
    SentencePieceFile(Path file) {
        this(file, UNIGRAM);
    }

    /** @param wanted {@link #UNIGRAM}, or {@link #BPE} with bytes for rare characters, as Llama's */
    SentencePieceFile(Path file, int wanted) {
        this.file = file;
        this.wanted = wanted;
        in = ByteBuffer.wrap(InputFile.bytes(file, Names.VOCABULARY_LIMIT, "a tokenizer file"))
                .order(ByteOrder.LITTLE_ENDIAN);
        fields(in.limit(), (field, wire) -> {
            switch (field << 3 | wire) {
                case 1 << 3 | BYTES -> readPiece(length());
                case 2 << 3 | BYTES -> {
                    trained = true;
                    fields(length(), this::readTrainer);
                    require("trainer_spec.model_type (1 is unigram, 2 is BPE)", wanted, modelType);
                    require("trainer_spec.byte_fallback", wanted == UNIGRAM ? 0 : 1, byteFallback);
                }
                case 3 << 3 | BYTES -> {
                    normalises = true;
                    fields(length(), this::readNormaliser);
                    require("normalizer_spec.remove_extra_whitespaces", wanted == UNIGRAM ? 1 : 0, removesSpaces);
                }
                default -> skip(wire);
            }
        });
        if (unk < 0) {
            throw new InputException(file + " has " + pieces.count()
                    + " pieces and none of type UNKNOWN; not a SentencePiece model, or cut short: fetch it again");
        }
        // Pieces come first, so a file that was cut between two of them has neither.
        if (!trained || !normalises) {
            throw new InputException(file + " has " + pieces.count() + " pieces and no "
                    + (trained ? "normalizer_spec" : "trainer_spec") + " after them; it is cut short: fetch it again");
        }
    }

    Pieces pieces() {
        return pieces;
    }

    /** Control and user-defined pieces, which are found in the text before all others. */
    List<AddedToken> added() {
        return added;
    }

    /** Whether a piece is made of text, and not one with a role, for a byte, or of no use. */
    boolean isNormal(int id) {
        return normal.get(id);
    }

    byte[] charsMap() {
        return charsMap;
    }

    int unk() {
        return unk;
    }

    /** What to do with one field; it has to read exactly the field's value. */
    @FunctionalInterface
    private interface Field {
        void read(int field, int wire);
    }

    /** Reads the fields of a message of so many bytes. */
    private void fields(int length, Field each) {
        var end = in.position() + length;
        var outer = in.limit();
        in.limit(end);
        while (in.position() < end) {
            var tag = varint();
            if (tag >>> 3 == 0 || tag >>> 32 != 0) {
                throw bad("a field has the tag " + Long.toUnsignedString(tag));
            }
            each.read((int) (tag >>> 3), (int) tag & 7);
        }
        in.limit(outer);
    }

    private void readPiece(int length) {
        var piece = new Object() {
            private String text = "";
            private float score;
            private int type = NORMAL;
        };
        fields(length, (field, wire) -> {
            switch (field << 3 | wire) {
                case 1 << 3 | BYTES -> piece.text = new String(bytes(), StandardCharsets.UTF_8);
                case 2 << 3 | FIXED32 -> piece.score = Float.intBitsToFloat(fixed(4).getInt());
                case 3 << 3 | VARINT -> piece.type = (int) varint();
                default -> skip(wire);
            }
        });
        var id = pieces.count();
        var fault = pieces.add(piece.text, piece.score);
        if (!fault.isEmpty()) {
            throw bad(fault);
        }
        switch (piece.type) {
            case UNKNOWN -> {
                if (unk >= 0) {
                    throw bad("pieces " + unk + " and " + id + " are both of type UNKNOWN");
                }
                unk = id;
            }
            case CONTROL -> added.add(new AddedToken(piece.text, false, id));
            case USER_DEFINED -> {
                require("the type of the piece " + InputException.shown(piece.text), wanted == UNIGRAM ? USER_DEFINED
                        : NORMAL, USER_DEFINED);
                added.add(new AddedToken(piece.text, false, id));
            }
            case NORMAL -> normal.set(id);
            default -> {
            }
        }
    }

    private void readTrainer(int field, int wire) {
        switch (field << 3 | wire) {
            case 3 << 3 | VARINT -> modelType = varint();
            case 24 << 3 | VARINT -> require("trainer_spec.treat_whitespace_as_suffix", 0, varint());
            case 35 << 3 | VARINT -> byteFallback = varint();
            default -> skip(wire);
        }
    }

    private void readNormaliser(int field, int wire) {
        switch (field << 3 | wire) {
            case 2 << 3 | BYTES -> charsMap = bytes();
            case 3 << 3 | VARINT -> require("normalizer_spec.add_dummy_prefix", 1, varint());
            case 4 << 3 | VARINT -> removesSpaces = varint();
            case 5 << 3 | VARINT -> require("normalizer_spec.escape_whitespaces", 1, varint());
            default -> skip(wire);
        }
    }

    /** The kinds that are known have these fixed; a model made for others would be given the wrong ids. */
    private void require(String setting, long wanted, long value) {
        if (value != wanted) {
            throw new InputException(file + ": " + setting + " is " + value + "; a "
                    + (this.wanted == UNIGRAM ? "T5" : "Llama") + " tokenizer has " + wanted);
        }
    }

    private void skip(int wire) {
        switch (wire) {
            case VARINT -> varint();
            case FIXED64 -> fixed(8);
            case BYTES -> bytes();
            case FIXED32 -> fixed(4);
            default -> throw bad("a field has the wire type " + wire);
        }
    }

    private long varint() {
        var value = 0L;
        for (var shift = 0; shift < 64; shift += 7) {
            if (!in.hasRemaining()) {
                throw bad("a number runs over the end");
            }
            var b = in.get();
            value |= (long) (b & 0x7F) << shift;
            if (b >= 0) {
                return value;
            }
        }
        throw bad("a number has more than ten bytes");
    }

    private int length() {
        var length = varint();
        if (length < 0 || length > in.remaining()) {
            throw bad("a field of " + Long.toUnsignedString(length) + " bytes where " + in.remaining() + " are left");
        }
        return (int) length;
    }

    private byte[] bytes() {
        var bytes = new byte[length()];
        in.get(bytes);
        return bytes;
    }

    /** The next bytes as a buffer of their own. */
    private ByteBuffer fixed(int length) {
        if (in.remaining() < length) {
            throw bad("a number of " + length + " bytes where " + in.remaining() + " are left");
        }
        var slice = in.slice(in.position(), length).order(ByteOrder.LITTLE_ENDIAN);
        in.position(in.position() + length);
        return slice;
    }

    private InputException bad(String what) {
        return new InputException(file + " at byte " + in.position() + ": " + what
                + "; not a SentencePiece model, or damaged: fetch it again");
    }
}
