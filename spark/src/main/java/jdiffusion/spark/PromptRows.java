package jdiffusion.spark;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.util.Map;
import jdiffusion.tensor.InputException;
import org.apache.spark.sql.Row;
import scala.jdk.javaapi.CollectionConverters;

/** Spark's rows as those of {@code batch}. */
final class PromptRows {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private PromptRows() {
    }

    /**
     * A row; cells that are null are absent.
     *
     * @param number of the row, left out of the columns
     * @param fault  the place of the column where Spark puts what it could not read; -1 for none
     */
    static jdiffusion.batch.Row of(Row row, int number, int fault) {
        if (row.isNullAt(number)) {
            throw new InputException("a row has no number in the column " + row.schema().fieldNames()[number]
                    + "; give one to each, or rename the column");
        }
        long n = ((Number) row.get(number)).longValue();
        if (fault >= 0 && !row.isNullAt(fault)) {
            return new jdiffusion.batch.Row(n, n + 1, null, "this row cannot be read: is it whole JSON or CSV, with"
                    + " values of the columns' types?");
        }
        ObjectNode columns = JSON.objectNode();
        for (int i = 0; i < row.length(); i++) {
            if (i != number && i != fault && !row.isNullAt(i)) {
                columns.set(row.schema().fieldNames()[i], json(row.get(i)));
            }
        }
        return jdiffusion.batch.Row.of(n, n + 1, columns);
    }

    private static JsonNode json(Object value) {
        return switch (value) {
            case null -> JSON.nullNode();
            case Boolean truth -> JSON.booleanNode(truth);
            case Float number -> JSON.numberNode(Double.parseDouble(number.toString()));
            case Double number -> JSON.numberNode(number);
            case BigDecimal number -> number.stripTrailingZeros().scale() <= 0
                    ? JSON.numberNode(number.toBigIntegerExact()) : JSON.numberNode(number);
            case Number number -> JSON.numberNode(number.longValue());
            case Row struct -> struct(struct);
            case scala.collection.Map<?, ?> map -> {
                ObjectNode object = JSON.objectNode();
                for (Map.Entry<?, ?> entry : CollectionConverters.asJava(map).entrySet()) {
                    object.set(String.valueOf(entry.getKey()), json(entry.getValue()));
                }
                yield object;
            }
            case scala.collection.Seq<?> list -> {
                ArrayNode array = JSON.arrayNode();
                CollectionConverters.asJava(list).forEach(item -> array.add(json(item)));
                yield array;
            }
            case byte[] bytes -> JSON.binaryNode(bytes);
            default -> JSON.textNode(value.toString());
        };
    }

    private static ObjectNode struct(Row row) {
        ObjectNode object = JSON.objectNode();
        for (int i = 0; i < row.length(); i++) {
            if (!row.isNullAt(i)) {
                object.set(row.schema().fieldNames()[i], json(row.get(i)));
            }
        }
        return object;
    }
}
