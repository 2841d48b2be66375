package jdiffusion.kernels.cuda;

import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Kernels for float16 are compiled from the templates of those for bfloat16, so line by line their PTX is the same but
 * for the name of the type. So where a file {@code x_f16} has as many lines as {@code x_bf16}, what is stored of it is
 * the other's name and the lines that are not the other's with the type's name changed.
 */
final class PtxTwin {
    private static final String LIKE = "// like ";

    private PtxTwin() {
    }

    /** The file for bfloat16 that belongs to one for float16; null for all other files. */
    static String of(String file) {
        return file.matches(".*_f16(_.*)?") ? file.replace("_f16", "_bf16") : null;
    }

    /**
     * What is stored of PTX.
     *
     * @param twin the name of the file that it is like
     */
    static String stored(String ptx, String twin, String twinPtx) {
        List<String> lines = ptx.lines().toList();
        List<String> others = twinPtx.lines().map(PtxTwin::changed).toList();
        if (lines.size() != others.size()) {
            return ptx;
        }
        StringBuilder stored = new StringBuilder(LIKE).append(twin).append('\n');
        for (int i = 0; i < lines.size(); i++) {
            if (!lines.get(i).equals(others.get(i))) {
                stored.append(i).append(' ').append(lines.get(i)).append('\n');
            }
        }
        return stored.toString();
    }

    /**
     * PTX from what is stored of it.
     *
     * @param ptx of another file
     */
    static String restored(String stored, UnaryOperator<String> ptx) {
        if (!stored.startsWith(LIKE)) {
            return stored;
        }
        List<String> own = stored.lines().toList();
        String[] lines = ptx.apply(own.getFirst().substring(LIKE.length())).lines().map(PtxTwin::changed)
                .toArray(String[]::new);
        for (String line : own.subList(1, own.size())) {
            int space = line.indexOf(' ');
            int i = Integer.parseInt(line, 0, space, 10);
            if (i < lines.length) { // else the other is of another build, which the line table's hash shows
                lines[i] = line.substring(space + 1);
            }
        }
        return String.join("\n", lines) + "\n";
    }

    private static String changed(String line) {
        return line.replace("bf16", "f16");
    }
}
