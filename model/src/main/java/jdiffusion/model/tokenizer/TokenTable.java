package jdiffusion.model.tokenizer;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import jdiffusion.tensor.InputException;

/**
 * Ids of tokens by their UTF-8 bytes. A CLIP vocabulary means 50 000 entries and 150 000 look-ups at start-up, mostly
 * of slices of a file; this needs no object for any of them.
 */
final class TokenTable {
    static final int NONE = -1;

    private byte[] bytes = new byte[1 << 19];
    private int used;
    private int[] begins = new int[1 << 16];
    private int[] ids = new int[1 << 16];
    private int count;
    private int largestId;
    /** Entry plus one by hash, 0 for an empty slot. */
    private int[] slots = new int[1 << 17];

    /** Puts a token; the last id for the same token stays. */
    void put(String token, int id) {
        var key = token.getBytes(StandardCharsets.UTF_8);
        largestId = Math.max(largestId, id);
        var slot = slot(key, 0, key.length);
        if (slots[slot] != 0) {
            ids[slots[slot] - 1] = id;
            return;
        }
        if (count + 1 == begins.length) {
            begins = Arrays.copyOf(begins, count * 2 + 2);
            ids = Arrays.copyOf(ids, count * 2 + 2);
        }
        if (used + key.length > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, used + key.length));
        }
        System.arraycopy(key, 0, bytes, used, key.length);
        used += key.length;
        ids[count++] = id;
        begins[count] = used;
        slots[slot] = count;
        if (count * 2 > slots.length) {
            grow();
        }
    }

    private void grow() {
        slots = new int[slots.length * 2];
        for (var entry = 0; entry < count; entry++) {
            var from = begins[entry];
            var to = begins[entry + 1];
            slots[slot(bytes, from, to)] = entry + 1;
        }
    }

    /** The id of a token, or {@link #NONE}. */
    int get(String token) {
        var key = token.getBytes(StandardCharsets.UTF_8);
        return get(key, 0, key.length);
    }

    /** The id of the token in bytes {@code from} until {@code to}, or {@link #NONE}. */
    int get(byte[] text, int from, int to) {
        var entry = slots[slot(text, from, to)];
        return entry == 0 ? NONE : ids[entry - 1];
    }

    /** What is wrong with the ids: the first two tokens that have one together; an empty string when all differ. */
    String fault() {
        var seen = new BitSet(largestId + 1);
        for (var entry = 0; entry < count; entry++) {
            if (seen.get(ids[entry])) {
                var other = 0;
                while (ids[other] != ids[entry]) {
                    other++;
                }
                return "the tokens " + InputException.shown(token(other)) + " and " + InputException.shown(token(entry))
                        + " both have the id " + ids[entry];
            }
            seen.set(ids[entry]);
        }
        return "";
    }

    /** The tokens whose ids are not among these. */
    List<String> without(BitSet among) {
        var tokens = new ArrayList<String>();
        for (var entry = 0; entry < count; entry++) {
            if (!among.get(ids[entry])) {
                tokens.add(token(entry));
            }
        }
        return tokens;
    }

    private String token(int entry) {
        return new String(bytes, begins[entry], begins[entry + 1] - begins[entry], StandardCharsets.UTF_8);
    }

    int count() {
        return count;
    }

    int largestId() {
        return largestId;
    }

    private int slot(byte[] text, int from, int to) {
        var slot = Hash.slot(Hash.key(text, from, to), slots.length);
        while (slots[slot] != 0 && !same(slots[slot] - 1, text, from, to)) {
            slot = slot + 1 & slots.length - 1;
        }
        return slot;
    }

    private boolean same(int entry, byte[] text, int from, int to) {
        var at = begins[entry];
        if (begins[entry + 1] - at != to - from) {
            return false;
        }
        for (var i = from; i < to; i++) {
            if (bytes[at++] != text[i]) {
                return false;
            }
        }
        return true;
    }
}
