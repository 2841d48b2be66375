package jdiffusion.server.own;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import jdiffusion.server.http.Json;

/**
 * A field of a job as a form shows it.
 *
 * @param name    in a job
 * @param label   for people
 * @param group   of the form
 * @param type    integer, number, choice, flag or text
 * @param least   of a number
 * @param most    of a number
 * @param step    of a number in a form
 * @param choices of a choice
 * @param help    one sentence; empty for none
 */
record FormField(String name, String label, String group, String type, double least, double most, double step,
                 List<String> choices, String help) {
    static FormField integer(String name, String label, String group, int least, int most, String help) {
        return new FormField(name, label, group, "integer", least, most, 1, List.of(), help);
    }

    static FormField number(String name, String label, String group, double least, double most, double step,
                            String help) {
        return new FormField(name, label, group, "number", least, most, step, List.of(), help);
    }

    static FormField choice(String name, String label, String group, List<String> choices, String help) {
        return new FormField(name, label, group, "choice", 0, 0, 0, choices, help);
    }

    static FormField flag(String name, String label, String group, String help) {
        return new FormField(name, label, group, "flag", 0, 0, 0, List.of(), help);
    }

    static FormField text(String name, String label, String group, String help) {
        return new FormField(name, label, group, "text", 0, 0, 0, List.of(), help);
    }

    ObjectNode json() {
        ObjectNode json = Json.object().put("name", name).put("label", label).put("group", group).put("type", type);
        if (type.equals("integer")) {
            json.put("min", (long) least).put("max", (long) most).put("step", (long) step);
        } else if (type.equals("number")) {
            json.put("min", least).put("max", most).put("step", step);
        }
        if (type.equals("choice")) {
            ArrayNode all = json.putArray("choices");
            choices.forEach(all::add);
        }
        return json.put("help", help);
    }
}
