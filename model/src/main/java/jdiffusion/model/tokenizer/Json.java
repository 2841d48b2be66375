package jdiffusion.model.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;
import jdiffusion.tensor.InputException;

/**
 * Streaming access to a JSON file; every fault becomes an {@link InputException} with file, line and column. A
 * vocabulary has 50 000 keys that are each seen once, so a tree, or Jackson's table of names, would only cost time.
 */
final class Json {
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .disable(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .build();

    private Json() {
    }

    /** What reads one file; the parser stands on the first token. */
    @FunctionalInterface
    interface Reader<T> {
        T read(JsonParser in) throws IOException;
    }

    static <T> T read(Path file, int limit, Reader<T> reader) {
        try (var in = FACTORY.createParser(InputFile.read(file, limit))) {
            in.nextToken();
            return reader.read(in);
        } catch (JsonProcessingException e) {
            var at = e.getLocation();
            var place = at == null ? "" : " at line " + at.getLineNr() + ", column " + at.getColumnNr();
            throw new InputException(file + place + ": " + e.getOriginalMessage(), e);
        } catch (IOException e) {
            throw new InputException(file + " is not valid JSON: " + e.getMessage(), e);
        }
    }

    /** A fault at the parser's place. */
    static JsonParseException bad(JsonParser in, String message) {
        return new JsonParseException(in, message, in.currentTokenLocation());
    }

    /** Checks the current token. */
    static void expect(JsonParser in, JsonToken wanted, String what) throws IOException {
        if (in.currentToken() != wanted) {
            throw bad(in, what + " should be " + wanted + " but is " + in.currentToken());
        }
    }

    /** The current token's string. */
    static String string(JsonParser in, String what) throws IOException {
        expect(in, JsonToken.VALUE_STRING, what);
        return in.getText();
    }

    /** The current token as an integer in 0 until {@code limit}. */
    static int index(JsonParser in, String what, int limit) throws IOException {
        expect(in, JsonToken.VALUE_NUMBER_INT, what);
        var value = in.getNumberType() == JsonParser.NumberType.INT ? in.getIntValue() : -1;
        if (value < 0 || value >= limit) {
            throw bad(in, what + " is " + in.getText() + "; expected 0 to " + (limit - 1));
        }
        return value;
    }
}
