package jdiffusion.model.family;

import java.nio.file.Path;
import java.util.Locale;

/** What the names of files and folders say of a model where its shapes leave it open. */
public final class ModelName {
    /** In the Hugging Face cache the name is that of a folder above the snapshot's. */
    private static final int FOLDERS_ABOVE = 2;

    private ModelName() {
    }

    /**
     * Whether the name of a file or folder says it, or that of one of the two folders above.
     *
     * @param word  in the name itself, in lower case
     * @param above a pattern of the folders' whole names, in lower case
     */
    public static boolean says(Path model, String word, String above) {
        Path path = model == null ? null : model.toAbsolutePath().normalize();
        for (int i = 0; i <= FOLDERS_ABOVE && path != null && path.getFileName() != null; i++) {
            String name = path.getFileName().toString().toLowerCase(Locale.ROOT);
            if (i == 0 ? name.contains(word) : name.matches(above)) {
                return true;
            }
            path = path.getParent();
        }
        return false;
    }
}
