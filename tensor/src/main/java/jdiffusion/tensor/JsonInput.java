package jdiffusion.tensor;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Reads JSON that nobody vouches for, token by token; every fault becomes one line that starts with {@code where}. */
public final class JsonInput {
    private static final int DEEPEST = 16;
    // Field names are not kept in a shared table: there is no gain, and names chosen to collide make it throw.
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(DEEPEST).build())
            .build();

    private final String where;
    private final JsonParser parser;

    /** @param where what is read, for messages: a file, or a part of one */
    public JsonInput(String where, byte[] utf8) {
        this.where = where;
        try {
            // A decoder of our own, since Jackson guesses the encoding and lets malformed UTF-8 pass in places.
            this.parser = FACTORY.createParser(new InputStreamReader(
                    new ByteArrayInputStream(PlainText.utf8(utf8)), StandardCharsets.UTF_8.newDecoder()));
        } catch (IOException e) {
            throw fault(e);
        }
    }

    /** The next token; null after the last. */
    public JsonToken next() {
        try {
            return parser.nextToken();
        } catch (IOException e) {
            throw fault(e);
        }
    }

    /** Steps over the start of an object. */
    public void object(String what) {
        if (next() != JsonToken.START_OBJECT) {
            throw fault(what + " is not an object {...}");
        }
    }

    /** Steps over the start of an object, or over a null in its place, which answers false. */
    public boolean objectOrNull(String what) {
        JsonToken token = next();
        if (token != JsonToken.START_OBJECT && token != JsonToken.VALUE_NULL) {
            throw fault(what + " is not an object {...}");
        }
        return token == JsonToken.START_OBJECT;
    }

    /** The name of the next field of the object that was entered; null at its end. */
    public String field() {
        return next() == JsonToken.END_OBJECT ? null : text();
    }

    public String string(String what) {
        String text = stringOrNull(what);
        if (text == null) {
            throw fault(what + " is not a string");
        }
        return text;
    }

    /** A string, or null where the JSON says so. */
    public String stringOrNull(String what) {
        JsonToken token = next();
        if (token != JsonToken.VALUE_STRING && token != JsonToken.VALUE_NULL) {
            throw fault(what + " is not a string");
        }
        return token == JsonToken.VALUE_NULL ? null : text();
    }

    /** Steps over a value of any kind. */
    public void skip() {
        try {
            parser.nextToken();
            parser.skipChildren();
        } catch (IOException e) {
            throw fault(e);
        }
    }

    /** Elements of an array of whole numbers from 0 to 2^63 - 1, of which there may be {@code most}. */
    public long[] numbers(String what, int most) {
        if (next() != JsonToken.START_ARRAY) {
            throw fault(what + " is not a list [...]");
        }
        long[] numbers = new long[most];
        int n = 0;
        while (next() != JsonToken.END_ARRAY) {
            if (n == most) {
                throw fault(what + " has more than " + most + " numbers");
            }
            numbers[n++] = number(what);
        }
        return Arrays.copyOf(numbers, n);
    }

    /** A whole number from 0 to 2^63 - 1. */
    public long whole(String what) {
        next();
        return number(what);
    }

    /** A number that is finite as float32, rounded to it. */
    public float real(String what) {
        try {
            if (next() == JsonToken.VALUE_NUMBER_FLOAT || parser.currentToken() == JsonToken.VALUE_NUMBER_INT) {
                float value = (float) parser.getDoubleValue();
                if (Float.isFinite(value)) {
                    return value;
                }
            }
            throw fault(what + " is not a finite number");
        } catch (IOException e) {
            throw fault(e);
        }
    }

    private long number(String what) {
        try {
            if (parser.currentToken() == JsonToken.VALUE_NUMBER_INT
                    && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER && parser.getLongValue() >= 0) {
                return parser.getLongValue();
            }
            throw fault(what + " has " + InputException.shown(parser.getText())
                    + " where a whole number from 0 to 2^63 - 1 is needed");
        } catch (IOException e) {
            throw fault(e);
        }
    }

    /** Checks that only white space follows. */
    public void end() {
        if (next() != null) {
            throw fault("something follows the closing brace");
        }
    }

    public InputException fault(String message) {
        return new InputException(where + " is damaged: " + message + "; download the file again");
    }

    private String text() {
        try {
            return parser.getText();
        } catch (IOException e) {
            throw fault(e);
        }
    }

    private InputException fault(IOException e) {
        return switch (e) {
            case CharacterCodingException _ -> fault("it is not UTF-8");
            case JsonProcessingException j -> fault("it is not valid JSON " + JsonFault.words(j));
            default -> fault(String.valueOf(e.getMessage()));
        };
    }
}
