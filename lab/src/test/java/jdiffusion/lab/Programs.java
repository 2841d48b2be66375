package jdiffusion.lab;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.GZIPInputStream;

/**
 * PTX of a folder's programs as compilers made it. It lies in one file, each after a line with its name, which
 * {@code tail -n +1 *.ptx | gzip -9n > FOLDER.ptx.gz} makes and
 * {@code zcat FOLDER.ptx.gz | awk '/^==> /{file=$2; next} {print > file}'} takes apart: half of what single files take.
 */
final class Programs {
    private static final Pattern NAME = Pattern.compile("(?m)^==> (.*)\\.ptx <==\n");
    private static final Map<String, Map<String, String>> FOLDERS = new ConcurrentHashMap<>();

    private Programs() {}

    /** The PTX of a program of a folder among the tests' resources. */
    static String ptx(String folder, String name) {
        String ptx = FOLDERS.computeIfAbsent(folder, Programs::read).get(name);
        if (ptx == null) {
            throw new IllegalArgumentException(folder + " has no " + name);
        }
        return ptx;
    }

    /** The same in a file of that name. */
    static Path copy(String folder, String name, Path to) throws IOException {
        return Files.writeString(to.resolve(name + ".ptx"), ptx(folder, name));
    }

    private static Map<String, String> read(String folder) {
        var programs = new ConcurrentHashMap<String, String>();
        try (InputStream in = new GZIPInputStream(Programs.class.getResourceAsStream(
                "/" + folder + "/" + folder + ".ptx.gz"))) {
            String all = new String(in.readAllBytes(), StandardCharsets.UTF_8);
            Matcher name = NAME.matcher(all);
            int from = 0;
            String last = null;
            while (name.find()) {
                if (last != null) {
                    programs.put(last, all.substring(from, name.start() - 1));
                }
                last = name.group(1);
                from = name.end();
            }
            programs.put(last, all.substring(from));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return programs;
    }
}
