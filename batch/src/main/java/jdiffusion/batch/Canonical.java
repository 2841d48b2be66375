package jdiffusion.batch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import jdiffusion.model.image.Picture;

/**
 * One JSON text for equal values: records by their components, so that none can be forgotten, with the record's name;
 * pictures and other long arrays by their SHA-256; numbers with all their digits.
 */
final class Canonical {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private Canonical() {
    }

    /** @throws IllegalArgumentException for a value of a kind that is not known here */
    static JsonNode json(Object value) {
        return switch (value) {
            case null -> NODES.nullNode();
            case JsonNode node -> node;
            case String text -> NODES.textNode(text);
            case Boolean flag -> NODES.booleanNode(flag);
            case Integer number -> NODES.numberNode(number);
            case Long number -> NODES.textNode(Long.toUnsignedString(number));
            case Float number -> NODES.textNode(Float.toString(number));
            case Double number -> NODES.textNode(Double.toString(number));
            case Enum<?> constant -> NODES.textNode(constant.name());
            case Picture picture -> NODES.textNode(picture.width() + "x" + picture.height() + " "
                    + sha256(picture.rgb()));
            case byte[] bytes -> NODES.textNode(sha256(bytes));
            case float[] values -> NODES.textNode(sha256(bytes(values)));
            case Path path -> throw new IllegalArgumentException("a path, " + path + ", says nothing of what it names");
            case List<?> list -> {
                ArrayNode array = NODES.arrayNode();
                list.forEach(one -> array.add(json(one)));
                yield array;
            }
            case Map<?, ?> map -> {
                Map<String, JsonNode> sorted = new TreeMap<>();
                map.forEach((key, one) -> sorted.put(key.toString(), json(one)));
                yield NODES.objectNode().setAll(sorted);
            }
            case Record components -> ofRecord(components);
            default -> throw new IllegalArgumentException("a " + value.getClass().getName() + " has no canonical form");
        };
    }

    private static ObjectNode ofRecord(Record value) {
        ObjectNode object = NODES.objectNode().put("is", value.getClass().getSimpleName());
        for (RecordComponent component : value.getClass().getRecordComponents()) {
            try {
                component.getAccessor().setAccessible(true);
                object.set(component.getName(), json(component.getAccessor().invoke(value)));
            } catch (IllegalAccessException | InvocationTargetException e) {
                throw new IllegalArgumentException(component + " cannot be read", e);
            }
        }
        return object;
    }

    private static byte[] bytes(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(values.length, Float.BYTES));
        bytes.asFloatBuffer().put(values);
        return bytes.array();
    }

    static String sha256(byte[] bytes) {
        return HexFormat.of().formatHex(digest().digest(bytes));
    }

    static String sha256(JsonNode json) {
        return sha256(json.toString().getBytes(StandardCharsets.UTF_8));
    }

    static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every JDK has SHA-256
        }
    }
}
