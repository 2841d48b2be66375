package jdiffusion.model.prompt;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Tokens that an encoder reads at once, with what their outputs count.
 *
 * @param ids     with the special tokens at the ends and padding
 * @param weights of each; 1 for special tokens and padding
 * @param used    of the ids, the first ones, that are no padding
 */
public record Chunk(int[] ids, float[] weights, int used) {
    /**
     * The special tokens of an encoder.
     *
     * @param begin before the others; -1 for none
     */
    public record Ends(int begin, int end, int padding) {
        /** Places of a chunk that are left for tokens. */
        int room(int length) {
            return length - (begin < 0 ? 1 : 2);
        }
    }

    /**
     * Tokens that belong together, a word's or a text's.
     *
     * @param ids below 0 for vectors of a textual inversion
     */
    public record Group(int[] ids, double weight, boolean isBreak) {
        public static final Group BREAK = new Group(new int[0], 1, true);
    }

    /** Words of more tokens than this may be cut in two by ComfyUI. */
    private static final int LONG_WORD = 8;
    /** How far back from a full chunk's end A1111 looks for a comma to cut behind. */
    private static final int BACKTRACK = 20;

    /** Tokens of one chunk as they come in. */
    private static final class Open {
        private final List<Integer> ids = new ArrayList<>();
        private final List<Float> weights = new ArrayList<>();
        private int comma = -1;

        void add(int id, double weight) {
            ids.add(id);
            weights.add((float) weight);
        }

        Chunk close(int length, Ends ends) {
            int[] all = new int[length];
            float[] factors = new float[length];
            Arrays.fill(factors, 1);
            int first = ends.begin < 0 ? 0 : 1;
            if (first == 1) {
                all[0] = ends.begin;
            }
            for (int i = first; i < length; i++) {
                int at = i - first;
                all[i] = at < ids.size() ? ids.get(at) : at == ids.size() ? ends.end : ends.padding;
                factors[i] = at < ids.size() ? weights.get(at) : 1;
            }
            return new Chunk(all, factors, Math.min(length, first + ids.size() + 1));
        }

        boolean isEmpty() {
            return ids.isEmpty();
        }
    }

    /** One chunk, from which what does not fit is cut. */
    public static Chunk cut(List<Group> groups, int length, Ends ends) {
        Open open = new Open();
        for (Group group : groups) {
            for (int id : group.ids) {
                if (open.ids.size() < ends.room(length)) {
                    open.add(id, group.weight);
                }
            }
        }
        return open.close(length, ends);
    }

    /** What an encoder reads of an empty prompt. */
    public static Chunk empty(int length, Ends ends) {
        return new Open().close(length, ends);
    }

    /** Padding alone. */
    public static Chunk padding(int length, Ends ends) {
        int[] ids = new int[length];
        Arrays.fill(ids, ends.padding);
        float[] weights = new float[length];
        Arrays.fill(weights, 1);
        return new Chunk(ids, weights, 0);
    }

    /** Chunks as A1111 makes them: full ones are cut behind a comma that is near, breaks begin another one. */
    public static List<Chunk> a1111(List<Group> groups, int length, Ends ends, int comma) {
        int room = ends.room(length);
        List<Chunk> chunks = new ArrayList<>();
        Open open = new Open();
        for (Group group : groups) {
            if (group.isBreak) {
                chunks.add(open.close(length, ends));
                open = new Open();
                continue;
            }
            for (int i = 0; i < group.ids.length; i++) {
                int id = group.ids[i];
                if (id == comma) {
                    open.comma = open.ids.size();
                } else if (open.ids.size() == room && open.comma >= 0 && room - open.comma <= BACKTRACK) {
                    Open next = new Open();
                    for (int k = open.comma + 1; k < open.ids.size(); k++) {
                        next.add(open.ids.get(k), open.weights.get(k));
                    }
                    int keep = open.comma + 1;
                    open.ids.subList(keep, open.ids.size()).clear();
                    open.weights.subList(keep, open.weights.size()).clear();
                    chunks.add(open.close(length, ends));
                    open = next;
                }
                boolean together = id < 0 && (i == 0 || group.ids[i - 1] >= 0)
                        && open.ids.size() + vectors(group.ids, i) > room && vectors(group.ids, i) <= room;
                if (open.ids.size() == room || together) {
                    chunks.add(open.close(length, ends));
                    open = new Open();
                }
                open.add(id, group.weight);
            }
        }
        if (!open.isEmpty() || chunks.isEmpty()) {
            chunks.add(open.close(length, ends));
        }
        return chunks;
    }

    /** Vectors of textual inversions from a place on. */
    private static int vectors(int[] ids, int from) {
        int to = from;
        while (to < ids.length && ids[to] < 0) {
            to++;
        }
        return to - from;
    }

    /** Chunks as ComfyUI makes them: a word that does not fit begins another one, unless it is long. */
    public static List<Chunk> comfyui(List<Group> words, int length, Ends ends) {
        int room = ends.room(length);
        List<Chunk> chunks = new ArrayList<>();
        Open open = new Open();
        for (Group word : words) {
            int from = 0;
            while (from < word.ids.length) {
                int left = room - open.ids.size();
                int rest = word.ids.length - from;
                int taken = rest <= left ? rest : word.ids.length >= LONG_WORD ? left : 0;
                for (int i = 0; i < taken; i++) {
                    open.add(word.ids[from + i], word.weight);
                }
                from += taken;
                if (from < word.ids.length) {
                    chunks.add(open.close(length, ends));
                    open = new Open();
                }
            }
        }
        chunks.add(open.close(length, ends));
        return chunks;
    }
}
