package jdiffusion.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Links of the documentation to files beside it and to headings. */
final class DocLinks {
    private static final Pattern CODE = Pattern.compile("(?ms)^```.*?^```$");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");

    private DocLinks() {
    }

    /** Links in a folder's own Markdown files and in those of {@code docs} that lead nowhere, with their file. */
    static List<String> broken(Path root) throws IOException {
        List<String> broken = new ArrayList<>();
        for (Path folder : List.of(root, root.resolve("docs"))) {
            try (Stream<Path> files = Files.list(folder)) {
                for (Path file : files.filter(each -> each.toString().endsWith(".md")).sorted().toList()) {
                    for (String link : LINK.matcher(text(file)).results().map(found -> found.group(1)).toList()) {
                        if (!link.contains("://") && !leads(file, link)) {
                            broken.add(root.relativize(file) + ": " + link);
                        }
                    }
                }
            }
        }
        return broken;
    }

    private static boolean leads(Path file, String link) throws IOException {
        int mark = link.indexOf('#');
        String name = mark < 0 ? link : link.substring(0, mark);
        Path target = name.isEmpty() ? file : file.resolveSibling(name);
        return Files.exists(target) && (mark < 0 || anchors(target).contains(link.substring(mark + 1)));
    }

    private static String text(Path file) throws IOException {
        return CODE.matcher(Files.readString(file)).replaceAll("");
    }

    /** As GitHub makes them of headings. */
    private static Set<String> anchors(Path file) throws IOException {
        Set<String> anchors = new HashSet<>();
        for (MatchResult heading : HEADING.matcher(text(file)).results().toList()) {
            String words = heading.group(1).strip().toLowerCase(Locale.ROOT).replaceAll("[^\\w\\- ]", "")
                    .replace(' ', '-');
            for (int i = 1; !anchors.add(i == 1 ? words : words + "-" + (i - 1)); i++) {
                continue;
            }
        }
        return anchors;
    }
}
