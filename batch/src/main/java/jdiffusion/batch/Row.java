package jdiffusion.batch;

import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A row of a table of prompts.
 *
 * @param number  counted from 0 in the whole table, whichever shard it belongs to
 * @param line    of the table's file, from 1
 * @param columns by name, as they stand there; null for a row that cannot be read
 * @param fault   why it cannot be read; null where it can
 */
public record Row(long number, long line, ObjectNode columns, String fault) {
    /** A row that was read. */
    public static Row of(long number, long line, ObjectNode columns) {
        return new Row(number, line, columns, null);
    }
}
