package jdiffusion.model.verify;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.families.Families;
import jdiffusion.model.family.Family;
import jdiffusion.model.reference.Comparison;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Shape;

/** Prompts as families that clean them read them; the error is the number of those that differ. */
final class CaptionReference {
    private CaptionReference() {
    }

    /** @param file with {@code strings}, and what becomes of them {@code lowered} alone and {@code cleaned} */
    static List<Comparison> check(Path file) {
        JsonNode json = DataFiles.json(file);
        JsonNode strings = DataFiles.field(file, json, "strings");
        List<Comparison> all = new ArrayList<>();
        for (Family family : Families.ALL) {
            if (family.cleansCaptions()) {
                all.add(compare(file, "lowered", strings, DataFiles.field(file, json, "lowered"), family, false));
                all.add(compare(file, "cleaned", strings, DataFiles.field(file, json, "cleaned"), family, true));
            }
        }
        return all;
    }

    private static Comparison compare(Path file, String name, JsonNode strings, JsonNode expected, Family family,
                                      boolean clean) {
        if (strings.size() != expected.size() || strings.isEmpty()) {
            throw new InputException(file + ": " + name + " has " + expected.size() + " strings, but there are "
                    + strings.size());
        }
        int different = 0;
        for (int i = 0; i < strings.size(); i++) {
            boolean same = family.read(strings.get(i).asText(), clean).equals(expected.get(i).asText());
            different += same ? 0 : 1;
        }
        return new Comparison(file.getParent().toString(), name, Shape.of(strings.size()), different, different, 0,
                Double.NaN);
    }
}
