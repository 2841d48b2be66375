package jdiffusion.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serial;
import java.io.Serializable;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import jdiffusion.batch.Columns;
import jdiffusion.batch.Outcome;
import jdiffusion.batch.Planned;
import jdiffusion.model.JsonTree;
import jdiffusion.tensor.InputException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The result's columns: what became of a picture, and then the table's columns that say nothing about it.
 *
 * @param table  the prompts' columns
 * @param number the place of the row's number among them
 * @param fault  the place of the column where Spark puts what it could not read; -1 for none
 * @param passed places of those that pass through
 * @param schema of the result
 */
record Manifest(StructType table, int number, int fault, List<Integer> passed, StructType schema)
        implements Serializable {
    /** The column with a row's number, if the table has one. */
    static final String ROW = "row";
    static final String ERROR = "error";
    static final String PICTURE = "picture";

    @Serial
    private static final long serialVersionUID = 1L;
    /** Seeds have 64 bits without a sign. */
    private static final DataType SEED = DataTypes.createDecimalType(20, 0);
    private static final String PREFIX = "row_";

    /**
     * The result of a table that has numbers of rows.
     *
     * @param corrupt what Spark calls the column of what it could not read
     * @param notes   told of columns that look like one of ours misspelt
     * @throws InputException when two columns are the same one under two names
     */
    static Manifest of(StructType table, String corrupt, boolean picture, Consumer<String> notes) {
        List<StructField> fields = new ArrayList<>(List.of(field(ROW, DataTypes.LongType),
                field("id", DataTypes.StringType), field("image", DataTypes.IntegerType),
                field("name", DataTypes.StringType), field("prompt", DataTypes.StringType), field("seed", SEED),
                field("width", DataTypes.IntegerType), field("height", DataTypes.IntegerType),
                field("file", DataTypes.StringType), field("bytes", DataTypes.LongType),
                field("seconds", DataTypes.DoubleType), field("host", DataTypes.StringType),
                field("device", DataTypes.StringType), field(ERROR, DataTypes.StringType)));
        if (picture) {
            fields.add(field(PICTURE, DataTypes.BinaryType));
        }
        List<String> names = new ArrayList<>(fields.stream().map(f -> f.name().toLowerCase(Locale.ROOT)).toList());
        int number = place(table, ROW);
        int fault = place(table, corrupt);
        ObjectNode cells = JsonTree.object();
        for (String name : table.fieldNames()) {
            cells.put(name, "");
        }
        ObjectNode other = new Columns(notes).part(cells).other();
        List<Integer> passed = new ArrayList<>();
        for (int i = 0; i < table.length(); i++) {
            String name = table.fieldNames()[i];
            if (i != number && i != fault && other.has(name)) {
                while (names.contains(name.toLowerCase(Locale.ROOT))) {
                    name = PREFIX + name;
                }
                names.add(name.toLowerCase(Locale.ROOT));
                fields.add(field(name, table.fields()[i].dataType()));
                passed.add(i);
            }
        }
        return new Manifest(table, number, fault, List.copyOf(passed), new StructType(
                fields.toArray(StructField[]::new)));
    }

    /** Where a column is; -1 where there is none. */
    static int place(StructType table, String name) {
        for (int i = 0; i < table.length(); i++) {
            if (table.fieldNames()[i].equalsIgnoreCase(name)) {
                return i;
            }
        }
        return -1;
    }

    private static StructField field(String name, DataType type) {
        return DataTypes.createStructField(name, type, true);
    }

    jdiffusion.batch.Row read(Row row) {
        return PromptRows.of(row, number, fault);
    }

    /**
     * A row of the result.
     *
     * @param from the prompt's row
     * @param file the picture; null where it is not wanted or not there
     */
    Row row(Row from, Outcome outcome, String host, String device, byte[] file) {
        Planned picture = outcome.picture();
        List<Object> cells = new ArrayList<>(schema.length());
        cells.add(outcome.row().number());
        cells.add(id(outcome.row()));
        cells.add(outcome.image());
        cells.add(picture == null ? null : picture.name());
        cells.add(picture == null ? null : picture.prompt());
        cells.add(picture == null ? null : new BigDecimal(new BigInteger(Long.toUnsignedString(picture.seed()))));
        cells.add(picture == null ? null : picture.width());
        cells.add(picture == null ? null : picture.height());
        cells.add(outcome.place());
        cells.add(outcome.bytes());
        cells.add(outcome.seconds());
        cells.add(host);
        cells.add(device);
        cells.add(outcome.error());
        if (schema.length() - passed.size() > cells.size()) {
            cells.add(file);
        }
        passed.forEach(i -> cells.add(from.get(i)));
        return RowFactory.create(cells.toArray());
    }

    private static String id(jdiffusion.batch.Row row) {
        JsonNode id = row.columns() == null ? null : row.columns().get(Columns.ID);
        return id == null ? null : id.asText();
    }
}
