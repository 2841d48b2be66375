package jdiffusion.model;

import java.io.IOException;
import java.nio.file.FileVisitOption;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.function.Predicate;
import jdiffusion.tensor.InputFile;

/** The files of a folder and of those below it. */
public final class FilesBelow {
    private static final int DEEPEST = 12;

    private FilesBelow() {
    }

    /**
     * Those that are wanted, in order; links are followed, what cannot be read is passed by, and what macOS keeps beside
     * files ({@code ._name}).
     */
    public static List<Path> of(Path folder, Predicate<Path> wanted) {
        List<Path> all = new ArrayList<>();
        try {
            Files.walkFileTree(folder, EnumSet.of(FileVisitOption.FOLLOW_LINKS), DEEPEST, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) {
                    if (!file.getFileName().toString().startsWith("._") && wanted.test(file)) {
                        all.add(file);
                    }
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException e) {
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            throw InputFile.unreadable(folder, e);
        }
        all.sort(null);
        return all;
    }
}
