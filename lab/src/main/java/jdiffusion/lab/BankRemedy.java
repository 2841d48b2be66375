package jdiffusion.lab;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import java.util.function.LongUnaryOperator;
import java.util.stream.Stream;
import jdiffusion.emulator.Banks;
import jdiffusion.emulator.SharedRequest;

/**
 * Another layout of an array in shared memory, or another way to go there, and what bank conflicts cost with it.
 *
 * @param text      what to change
 * @param place     where the byte at an address lies in the other layout
 * @param bytes     that a lane takes at once
 * @param conflicts cycles that conflicts cost the request that is to be mended
 * @param others    the same for the other requests to the array, summed
 */
record BankRemedy(String text, LongUnaryOperator place, int bytes, int conflicts, int others) {
    private static final int WORD = 4;
    private static final int MOST_PADDING = 8;
    private static final int MOST_SHIFT = 3;
    /** Rows of fewer words are no rows of a tile. */
    private static final int LEAST_ROW = 4;

    /**
     * The best padding of rows by 1 to 8 words, the best XOR of columns with rows, and a wider access, of those that
     * lessen the conflicts of all requests together; where none does, an empty list.
     *
     * @param worst  the request that is to be mended
     * @param others requests to the same array
     * @param base   where the array begins
     */
    static List<BankRemedy> of(SharedRequest worst, List<SharedRequest> others, long base) {
        int unit = Math.max(WORD, Stream.concat(Stream.of(worst), others.stream()).mapToInt(SharedRequest::bytes).max()
                .orElse(WORD));
        int before = worst.conflicts() + sum(others);
        var found = new ArrayList<BankRemedy>();
        for (List<BankRemedy> kind : List.of(paddings(worst, others, base, unit),
                swizzles(worst, others, base, unit), wider(worst, sum(others)))) {
            kind.stream().filter(r -> r.conflicts < worst.conflicts() && r.conflicts + r.others < before)
                    .min(Comparator.comparingInt(r -> r.conflicts + r.others)).ifPresent(found::add);
        }
        return found;
    }

    private static int sum(List<SharedRequest> requests) {
        return requests.stream().mapToInt(SharedRequest::conflicts).sum();
    }

    /** What could be the length of the array's rows, in words: distances between lanes, and a round of all banks. */
    private static TreeSet<Integer> rows(SharedRequest request, int unit) {
        var rows = new TreeSet<Integer>();
        rows.add(Banks.COUNT);
        long last = -1;
        for (int rest = request.mask(); rest != 0; rest &= rest - 1) {
            long at = request.addresses()[Integer.numberOfTrailingZeros(rest)];
            long distance = last < 0 ? 0 : Math.abs(at - last);
            if (distance >= LEAST_ROW * WORD && distance % unit == 0) {
                rows.add((int) (distance / WORD));
            }
            last = at;
        }
        return rows;
    }

    private static List<BankRemedy> paddings(SharedRequest worst, List<SharedRequest> others, long base, int unit) {
        var all = new ArrayList<BankRemedy>();
        for (int row : rows(worst, unit)) {
            for (int words = unit / WORD; words <= MOST_PADDING; words += unit / WORD) {
                int more = words * WORD;
                all.add(tried("leave " + count(words) + " free after each " + row + " of the array, as tile[rows]["
                        + row + " + " + words + "] does", a -> a + (a - base) / (row * WORD) * more, worst, others));
            }
        }
        return all;
    }

    private static String count(int words) {
        return words == 1 ? "1 word (4 bytes)" : words + " words (" + words * WORD + " bytes)";
    }

    private static List<BankRemedy> swizzles(SharedRequest worst, List<SharedRequest> others, long base, int unit) {
        var all = new ArrayList<BankRemedy>();
        for (int row : rows(worst, unit)) {
            int units = Math.min(row, Banks.COUNT) * WORD / unit;
            if (Integer.bitCount(row) != 1 || units < 2) {
                continue;
            }
            for (int shift = 0; shift <= MOST_SHIFT; shift++) {
                int by = shift;
                String number = shift == 0 ? "r" : "r >> " + shift;
                all.add(tried("in row r of %d words store at place c ^ (%s & %d) what belongs at place c, counted in"
                        .formatted(row, number, units - 1) + " pieces of " + unit + " bytes",
                        a -> base + swizzled(a - base, (a - base) / (row * WORD) >> by & units - 1, unit), worst,
                        others));
            }
        }
        return all;
    }

    /** Where each lane is 2 or 4 words from the next one, it takes these with one instruction. */
    private static List<BankRemedy> wider(SharedRequest worst, int others) {
        int lanes = Integer.bitCount(worst.mask());
        int first = Integer.numberOfTrailingZeros(worst.mask());
        var all = new ArrayList<BankRemedy>();
        for (int words = 2; words <= 4 && worst.bytes() == WORD && lanes > 1; words *= 2) {
            int bytes = words * WORD;
            boolean even = true;
            for (int i = 1; i < lanes && even; i++) {
                even = (worst.mask() >>> first + i & 1) != 0
                        && worst.addresses()[first + i] - worst.addresses()[first + i - 1] == bytes;
            }
            if (even) {
                LongUnaryOperator place = a -> a & -bytes;
                String text = "lanes are %d words apart: if each needs these %d words, let it take them with one"
                        .formatted(words, words) + " instruction, as float" + words + " does";
                int conflicts = new Banks().conflicts(placed(worst, place), worst.mask(), bytes);
                all.add(new BankRemedy(text, place, bytes, conflicts, others));
            }
        }
        return all;
    }

    private static long swizzled(long offset, long key, int unit) {
        return (offset / unit ^ key) * unit + offset % unit;
    }

    private static BankRemedy tried(String text, LongUnaryOperator place, SharedRequest worst,
            List<SharedRequest> others) {
        return new BankRemedy(text, place, worst.bytes(), conflicts(worst, place),
                others.stream().mapToInt(other -> conflicts(other, place)).sum());
    }

    private static int conflicts(SharedRequest request, LongUnaryOperator place) {
        return new Banks().conflicts(placed(request, place), request.mask(), request.bytes());
    }

    /** The addresses of a request in another layout; of lanes that take no part, 0. */
    static long[] placed(SharedRequest request, LongUnaryOperator place) {
        long[] placed = new long[request.addresses().length];
        for (int rest = request.mask(); rest != 0; rest &= rest - 1) {
            int lane = Integer.numberOfTrailingZeros(rest);
            placed[lane] = place.applyAsLong(request.addresses()[lane]);
        }
        return placed;
    }
}
