package jdiffusion.model.experiment;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.tensor.InputException;

/** Whole numbers as users write them. */
public final class Numbers {
    private static final int MOST = 1_000_000;

    private Numbers() {
    }

    /**
     * Numbers and ranges with commas between: {@code 0,3,5-8}.
     *
     * @param what they are, in messages
     */
    public static List<Integer> of(String text, String what) {
        List<Integer> numbers = new ArrayList<>();
        for (String part : text.split(",", -1)) {
            String range = part.strip();
            if (!range.matches("\\d{1,6}(-\\d{1,6})?")) {
                throw new InputException(what + " \"" + InputException.shown(text)
                        + "\": write numbers and ranges such as 0,3,5-8");
            }
            String[] ends = range.split("-");
            int first = Integer.parseInt(ends[0]);
            int last = Integer.parseInt(ends[ends.length - 1]);
            if (last < first || numbers.size() + last - first > MOST) {
                throw new InputException(what + " \"" + text + "\": " + range + " runs backwards, or too far");
            }
            for (int i = first; i <= last; i++) {
                numbers.add(i);
            }
        }
        return List.copyOf(numbers);
    }
}
