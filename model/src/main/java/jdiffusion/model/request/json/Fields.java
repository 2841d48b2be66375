package jdiffusion.model.request.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import jdiffusion.model.JsonTree;
import jdiffusion.model.request.FieldException;
import jdiffusion.tensor.InputException;

/**
 * The fields of a request, which may have several names. Numbers may be texts, as they are in forms. A field that is
 * null counts as one that is not there.
 */
public record Fields(ObjectNode json) {
    private static final BigInteger SEEDS = BigInteger.ONE.shiftLeft(64);
    private static final int LONGEST_NUMBER = 40;

    /** What is thrown for a field that cannot be used. */
    public static FieldException bad(String name, String message) {
        return new FieldException(name, "invalid_value", message);
    }

    /** The first of these names that is there; null for none. */
    public JsonNode node(String... names) {
        String name = there(names);
        return name == null ? null : json.get(name);
    }

    private String there(String... names) {
        for (String name : names) {
            JsonNode node = json.get(name);
            if (node != null && !node.isNull()) {
                return name;
            }
        }
        return null;
    }

    public String text(String... names) {
        String name = there(names);
        if (name != null && !json.get(name).isTextual()) {
            throw bad(name, name + " must be a text");
        }
        return name == null ? null : json.get(name).textValue();
    }

    public Boolean flag(String... names) {
        String name = there(names);
        if (name == null) {
            return null;
        }
        String value = json.get(name).asText();
        if (!value.equalsIgnoreCase("true") && !value.equalsIgnoreCase("false")) {
            throw bad(name, name + " must be true or false");
        }
        return Boolean.valueOf(value);
    }

    public Integer integer(String... names) {
        String name = there(names);
        if (name == null) {
            return null;
        }
        try {
            return number(name).intValueExact();
        } catch (ArithmeticException e) {
            throw bad(name, name + " must be a whole number below 2^31");
        }
    }

    public Float decimal(String... names) {
        Double value = precise(names);
        if (value != null && !Float.isFinite(value.floatValue())) {
            throw bad(there(names), there(names) + " is too large");
        }
        return value == null ? null : Float.valueOf(value.floatValue());
    }

    public Double precise(String... names) {
        String name = there(names);
        return name == null ? null : Double.valueOf(number(name).doubleValue());
    }

    /** A seed of 64 bits without a sign; null where it is to be random, which -1 says, too. */
    public Long seed(String... names) {
        String name = there(names);
        if (name == null) {
            return null;
        }
        BigInteger value;
        try {
            value = number(name).toBigIntegerExact();
        } catch (ArithmeticException e) {
            throw bad(name, name + " must be a whole number");
        }
        if (value.equals(BigInteger.ONE.negate())) {
            return null;
        }
        if (value.signum() < 0 || value.compareTo(SEEDS) >= 0) {
            throw bad(name, name + " must be from 0 to 2^64 - 1, or -1 for a random one");
        }
        return value.longValue();
    }

    /** Long texts and exponents would take long to expand. */
    private BigDecimal number(String name) {
        JsonNode node = json.get(name);
        String text = node.isNumber() || node.isTextual() ? node.asText().strip() : "";
        try {
            BigDecimal value = text.length() > LONGEST_NUMBER ? null : new BigDecimal(text);
            if (value != null && Math.abs((long) value.scale()) + value.precision() < 10L * LONGEST_NUMBER) {
                return value;
            }
        } catch (NumberFormatException e) {
            // told below
        }
        throw bad(name, name + " must be a number, not '" + InputException.shown(text) + "'");
    }

    /** Numbers in a list, or in a text between commas. */
    public List<Float> decimals(String name) {
        JsonNode node = node(name);
        if (node == null) {
            return null;
        }
        List<Float> values = new ArrayList<>();
        if (node instanceof ArrayNode array) {
            array.forEach(value -> values.add(new Fields(JsonTree.object().set(name, value)).decimal(name)));
        } else {
            for (String part : node.asText().split(",")) {
                values.add(new Fields(JsonTree.object().put(name, part)).decimal(name));
            }
        }
        if (values.contains(null)) {
            throw bad(name, name + " must be numbers");
        }
        return values;
    }

    /** A picture's file in base64, with or without {@code data:image/png;base64,} before it; null for none. */
    public byte[] file(String name) {
        String text = text(name);
        return text == null || text.isEmpty() ? null : decode(name, text);
    }

    /** The same of a list. */
    public List<byte[]> files(String name) {
        JsonNode node = node(name);
        if (node == null) {
            return List.of();
        }
        List<byte[]> files = new ArrayList<>();
        for (JsonNode one : node) {
            if (!one.isTextual()) {
                throw bad(name, name + " must be a list of texts");
            }
            files.add(decode(name, one.textValue()));
        }
        return files;
    }

    private static byte[] decode(String name, String text) {
        int comma = text.startsWith("data:") ? text.indexOf(',') : -1;
        try {
            String plain = text.substring(comma + 1);
            return Base64.getDecoder().decode(plain.indexOf('\n') < 0 ? plain : plain.replaceAll("[\r\n]", ""));
        } catch (IllegalArgumentException e) {
            throw bad(name, name + " is not base64");
        }
    }
}
