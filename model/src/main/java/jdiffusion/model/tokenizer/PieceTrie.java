package jdiffusion.model.tokenizer;

import java.util.Arrays;

/**
 * Strings with values, walked one UTF-16 unit at a time from {@link #ROOT}. The edges lie in one hash table keyed by
 * node and character: building it is a few array writes for each character, which matters at start-up.
 */
final class PieceTrie {
    static final int ROOT = 0;
    /** No such child, or no string ends at this node. */
    static final int NONE = -1;

    private long[] edges;
    private int[] targets;
    private int[] values = new int[1 << 10];
    private int nodes = 1;

    /** @param expected characters in all strings together, a hint for the table's size */
    PieceTrie(int expected) {
        var size = Math.max(16, Integer.highestOneBit(Math.clamp(expected, 1, 1 << 20)) << 1);
        edges = new long[size];
        targets = new int[size];
        values[ROOT] = NONE;
    }

    /** Puts a string; the last value for the same string stays. */
    void put(String piece, int value) {
        var node = ROOT;
        for (var i = 0; i < piece.length(); i++) {
            node = childOrNew(node, piece.charAt(i));
        }
        values[node] = value;
    }

    /** The node after one more character, or {@link #NONE}. */
    int child(int node, char c) {
        var key = key(node, c);
        var slot = slot(edges, key);
        return edges[slot] == key ? targets[slot] : NONE;
    }

    /** The value of the string that ends at a node, or {@link #NONE}. */
    int value(int node) {
        return values[node];
    }

    private int childOrNew(int node, char c) {
        var key = key(node, c);
        var slot = slot(edges, key);
        if (edges[slot] == key) {
            return targets[slot];
        }
        if (nodes * 2 > edges.length) {
            grow();
            slot = slot(edges, key);
        }
        if (nodes == values.length) {
            values = Arrays.copyOf(values, nodes * 2);
        }
        edges[slot] = key;
        targets[slot] = nodes;
        values[nodes] = NONE;
        return nodes++;
    }

    private void grow() {
        var oldEdges = edges;
        var oldTargets = targets;
        edges = new long[oldEdges.length * 2];
        targets = new int[edges.length];
        for (var i = 0; i < oldEdges.length; i++) {
            if (oldEdges[i] != 0) {
                var slot = slot(edges, oldEdges[i]);
                edges[slot] = oldEdges[i];
                targets[slot] = oldTargets[i];
            }
        }
    }

    /** Never 0, which marks an empty slot. */
    private static long key(int node, char c) {
        return ((long) node + 1) << 16 | c;
    }

    private static int slot(long[] table, long key) {
        var slot = Hash.slot(key, table.length);
        while (table[slot] != 0 && table[slot] != key) {
            slot = slot + 1 & table.length - 1;
        }
        return slot;
    }
}
