package jdiffusion.model;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.List;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.JsonFault;

/** Small JSON files as trees, without Jackson's ObjectMapper, which takes a tenth of a second to get ready. */
public final class JsonTree {
    private static final JsonFactory FACTORY = new JsonFactory();
    private static final JsonFactory PYTHON = JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private JsonTree() {
    }

    /**
     * The first value; null when there is none.
     *
     * @param where what is read, for messages: a file, or a part of one
     * @throws InputException when it is not valid JSON
     */
    public static JsonNode read(byte[] bytes, String where) {
        return read(FACTORY, bytes, where);
    }

    /** The same of a file of Python's json module, which writes NaN and Infinity. */
    public static JsonNode readPython(byte[] bytes, String where) {
        return read(PYTHON, bytes, where);
    }

    private static JsonNode read(JsonFactory factory, byte[] bytes, String where) {
        try (JsonParser in = factory.createParser(bytes)) {
            return in.nextToken() == null ? null : value(in);
        } catch (JsonProcessingException e) {
            throw new InputException(where + ": not valid JSON " + JsonFault.words(e)
                    + "; correct it, or download it again", e);
        } catch (IOException e) {
            throw new InputException(where + ": not valid JSON (it is not UTF-8); download it again", e);
        }
    }

    /**
     * A whole text, as Python's json module writes it, which knows NaN and Infinity.
     *
     * @return null when the text is not one JSON value and nothing else
     */
    public static JsonNode readWhole(String text) {
        try (JsonParser in = PYTHON.createParser(text)) {
            JsonNode value = in.nextToken() == null ? null : value(in);
            return in.nextToken() == null ? value : null;
        } catch (IOException _) {
            return null;
        }
    }

    /** The parser stands on the first token of a value, and then on its last. */
    private static JsonNode value(JsonParser in) throws IOException {
        return switch (in.currentToken()) {
            case START_OBJECT -> {
                ObjectNode object = NODES.objectNode();
                while (in.nextToken() == JsonToken.FIELD_NAME) {
                    String name = in.currentName();
                    in.nextToken();
                    object.set(name, value(in));
                }
                yield object;
            }
            case START_ARRAY -> {
                ArrayNode array = NODES.arrayNode();
                while (in.nextToken() != JsonToken.END_ARRAY) {
                    array.add(value(in));
                }
                yield array;
            }
            case VALUE_STRING -> NODES.textNode(in.getText());
            case VALUE_NUMBER_INT -> switch (in.getNumberType()) {
                case INT -> NODES.numberNode(in.getIntValue());
                case LONG -> NODES.numberNode(in.getLongValue());
                default -> NODES.numberNode(in.getBigIntegerValue());
            };
            case VALUE_NUMBER_FLOAT -> NODES.numberNode(in.getDoubleValue());
            case VALUE_TRUE -> NODES.booleanNode(true);
            case VALUE_FALSE -> NODES.booleanNode(false);
            default -> NODES.nullNode();
        };
    }

    /** A whole number, true or false, a text, a list of whole numbers, or null. */
    public static JsonNode of(Object value) {
        return switch (value) {
            case null -> NODES.nullNode();
            case Integer number -> NODES.numberNode(number);
            case Boolean flag -> NODES.booleanNode(flag);
            case String text -> NODES.textNode(text);
            case List<?> list -> {
                ArrayNode array = NODES.arrayNode();
                list.forEach(entry -> array.add(of(entry)));
                yield array;
            }
            default -> throw new IllegalArgumentException(value.getClass() + " in a configuration");
        };
    }

    /** A list of these values; see {@link #of}. */
    public static JsonNode array(Object... values) {
        return of(List.of(values));
    }

    /** An empty object. */
    public static ObjectNode object() {
        return NODES.objectNode();
    }

    /** A float32 as the decimal number that it was written as. */
    public static double decimal(float value) {
        return Double.parseDouble(Float.toString(value));
    }
}
