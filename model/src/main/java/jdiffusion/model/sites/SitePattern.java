package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.tensor.InputException;

/**
 * Names of sites as a user writes them: parts between dots, of which {@code *} stands for any one, {@code **} for any
 * number of them, and {@code 4-8} for a range of numbers. {@code block.12} alone means all streams that it gives.
 */
final class SitePattern {
    private final String text;
    private final List<String> parts;

    SitePattern(String text) {
        this.text = text;
        this.parts = List.of(text.split("\\.", -1));
        if (text.isBlank() || parts.contains("")) {
            throw new InputException("\"" + text + "\" is no name of a site; names look like block.12.image, and"
                    + " block.*.image or block.4-8.context stand for several");
        }
    }

    boolean matches(String name) {
        return matches(0, List.of(name.split("\\.")), 0);
    }

    /** Whether it names the block whose output a site is. */
    boolean matchesBlock(String name) {
        return !block(name).equals(name) && matches(block(name));
    }

    /** The block whose stream a site is: {@code block.12} of {@code block.12.image}; else the name itself. */
    static String block(String name) {
        List<String> parts = new ArrayList<>(List.of(name.split("\\.")));
        if (parts.getLast().equals("in")) {
            parts.removeLast();
        }
        boolean stream = parts.size() == 3 && parts.getFirst().equals("block")
                && (parts.getLast().equals("image") || parts.getLast().equals("context"));
        return stream ? parts.get(0) + "." + parts.get(1)
                : parts.getFirst().equals("single") && parts.size() == 2 ? String.join(".", parts) : name;
    }

    private boolean matches(int i, List<String> name, int at) {
        if (i == parts.size()) {
            return at == name.size();
        }
        if (parts.get(i).equals("**")) {
            for (int skip = at; skip <= name.size(); skip++) {
                if (matches(i + 1, name, skip)) {
                    return true;
                }
            }
            return false;
        }
        return at < name.size() && matches(parts.get(i), name.get(at)) && matches(i + 1, name, at + 1);
    }

    private static boolean matches(String part, String of) {
        if (part.matches("\\d{1,6}-\\d{1,6}")) {
            int dash = part.indexOf('-');
            return of.matches("\\d{1,6}") && Integer.parseInt(of) >= Integer.parseInt(part.substring(0, dash))
                    && Integer.parseInt(of) <= Integer.parseInt(part.substring(dash + 1));
        }
        return part.contains("*") ? of.matches(("\\Q" + part + "\\E").replace("*", "\\E.*\\Q")) : part.equals(of);
    }

    @Override
    public String toString() {
        return text;
    }
}
