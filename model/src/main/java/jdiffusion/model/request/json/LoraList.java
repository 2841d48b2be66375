package jdiffusion.model.request.json;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import jdiffusion.model.request.FieldException;

/** The field {@code loras}: a list of names with weights. */
public final class LoraList {
    private static final String NAME = "loras";

    private LoraList() {
    }

    /** The prompt with the LoRAs' names in it, where they stand in pictures' files, too. */
    public static String addTo(String prompt, Fields fields) {
        JsonNode loras = fields.node(NAME);
        if (prompt == null || loras == null) {
            return prompt;
        }
        if (!(loras instanceof ArrayNode)) {
            throw wrong();
        }
        StringBuilder all = new StringBuilder(prompt);
        for (JsonNode lora : loras) {
            if (!(lora instanceof ObjectNode object)) {
                throw wrong();
            }
            Fields one = new Fields(object);
            String name = one.text("name", "path");
            Float weight = one.decimal("weight", "multiplier");
            if (name == null || name.matches(".*[<>:].*")) {
                throw wrong();
            }
            all.append("<lora:").append(name).append(':').append(weight == null ? 1 : weight).append('>');
        }
        return all.toString();
    }

    private static FieldException wrong() {
        return Fields.bad(NAME, NAME + " must be a list of {\"name\": ..., \"weight\": ...}");
    }
}
