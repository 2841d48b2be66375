package jdiffusion.tensor;

import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.StreamConstraintsException;
import com.fasterxml.jackson.core.io.JsonEOFException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What is wrong with a JSON text, without the names of Jackson's classes and options that its messages are full of. */
public final class JsonFault {
    private static final Pattern CHARACTER = Pattern.compile("(?:Unexpected|Illegal)[^(]*character.*?code (\\d+)");
    private static final Pattern TOKEN = Pattern.compile("(?:Unrecognized|Non-standard) token '([^']*)'");

    private JsonFault() {
    }

    /** The place and the reason, to follow "not valid JSON ". */
    public static String words(JsonProcessingException e) {
        JsonLocation at = e.getLocation();
        return (at == null ? "" : "at line " + at.getLineNr() + ", column " + at.getColumnNr() + " ")
                + "(" + reason(e) + ")";
    }

    private static String reason(JsonProcessingException e) {
        String message = String.valueOf(e.getOriginalMessage());
        Matcher token = TOKEN.matcher(message);
        Matcher character = CHARACTER.matcher(message);
        return switch (e) {
            case JsonEOFException _ -> "it ends too early";
            case StreamConstraintsException _ when message.contains("depth") -> "too many brackets within brackets";
            case StreamConstraintsException _ -> "a number, name or text is too long";
            default -> token.find() ? InputException.shown(token.group(1)) + " is not a value of JSON"
                    : character.find() ? "a character that does not belong there, code " + character.group(1)
                    : message.contains("UTF-8") ? "it is not UTF-8" : "a number or text that is not well formed";
        };
    }

    /** A token in the words of a JSON text; null is its end. */
    public static String name(JsonToken token) {
        return switch (token) {
            case null -> "the end of the text";
            case START_OBJECT -> "an object {...}";
            case START_ARRAY -> "a list [...]";
            case END_OBJECT -> "the end of an object, }";
            case END_ARRAY -> "the end of a list, ]";
            case FIELD_NAME -> "a name";
            case VALUE_STRING -> "a text";
            case VALUE_NUMBER_INT -> "a whole number";
            case VALUE_NUMBER_FLOAT -> "a number with decimals";
            case VALUE_TRUE -> "true";
            case VALUE_FALSE -> "false";
            case VALUE_NULL -> "null";
            case VALUE_EMBEDDED_OBJECT, NOT_AVAILABLE -> "nothing";
        };
    }
}
