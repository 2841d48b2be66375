package jdiffusion.model.tokenizer;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.file.Path;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.InputFile;
import jdiffusion.tensor.JsonFault;

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
        try (var in = FACTORY.createParser(InputFile.bytes(file, limit, "a tokenizer file"))) {
            in.nextToken();
            return reader.read(in);
        } catch (Unexpected e) {
            var at = e.getLocation();
            throw new InputException(file + " at line " + at.getLineNr() + ", column " + at.getColumnNr() + ": "
                    + e.getOriginalMessage(), e);
        } catch (JsonProcessingException e) {
            throw new InputException(file + ": not valid JSON " + JsonFault.words(e) + "; download it again", e);
        } catch (IOException e) {
            throw new InputException(file + ": not valid JSON (it is not UTF-8); download it again", e);
        }
    }

    /** A fault at the parser's place. */
    static JsonParseException bad(JsonParser in, String message) {
        return new Unexpected(in, message);
    }

    /** What is JSON, but not what the file should say. */
    private static final class Unexpected extends JsonParseException {
        private static final long serialVersionUID = 1L;

        Unexpected(JsonParser in, String message) {
            super(in, message, in.currentTokenLocation());
        }
    }

    /** Checks the current token. */
    static void expect(JsonParser in, JsonToken wanted, String what) throws IOException {
        if (in.currentToken() != wanted) {
            throw bad(in, what + " should be " + JsonFault.name(wanted) + " but is "
                    + JsonFault.name(in.currentToken()));
        }
    }

    /** The current token's string. */
    static String string(JsonParser in, String what) throws IOException {
        expect(in, JsonToken.VALUE_STRING, what);
        return in.getText();
    }

    /** The current token as true or false. */
    static boolean flag(JsonParser in, String what) throws IOException {
        if (!in.currentToken().isBoolean()) {
            throw bad(in, what + " should be true or false but is " + JsonFault.name(in.currentToken()));
        }
        return in.getBooleanValue();
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
