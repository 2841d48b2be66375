package jdiffusion.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AlternativesTest {
    @TempDir
    private Path folder;

    private static Map<String, Long> choices(Alternatives of, String text, int times) {
        return IntStream.range(0, times).mapToObj(seed -> of.choose(text, new SplittableRandom(seed)))
                .collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    }

    @Test
    void choosesEachAboutAsOften() {
        Map<String, Long> found = choices(new Alternatives(null), "a {red|green|blue} cat", 3000);
        assertThat(found).containsOnlyKeys("a red cat", "a green cat", "a blue cat");
        // Five standard deviations of a binomial with n = 3000, p = 1/3.
        assertThat(found.values()).allMatch(count -> Math.abs(count - 1000) < 5 * Math.sqrt(3000 * 2 / 9.0));
    }

    @Test
    void weightsNestingAndCounts() {
        Alternatives plain = new Alternatives(null);
        assertThat(choices(plain, "{0::a|1::b}", 50)).containsOnlyKeys("b");
        assertThat(choices(plain, "{a {x|y}|b}", 200)).containsOnlyKeys("a x", "a y", "b");
        assertThat(choices(plain, "{2$$a|b|c}", 300)).containsOnlyKeys("a, b", "b, a", "a, c", "c, a", "b, c", "c, b");
        assertThat(choices(plain, "{1-2$$ and $$a|b}", 300)).containsOnlyKeys("a", "b", "a and b", "b and a");
        assertThat(choices(plain, "{|very }big", 100)).containsOnlyKeys("big", "very big");
    }

    @Test
    void whatIsText() {
        Alternatives plain = new Alternatives(null);
        for (String text : new String[] {"a {word}", "a | b", "{a", "a}", "x { y", "snake_case__x", ""}) {
            assertThat(plain.choose(text, new SplittableRandom(1))).isEqualTo(text);
        }
        assertThat(plain.choose("\\{a\\|b\\} {c|c}", new SplittableRandom(1))).isEqualTo("{a|b} c");
    }

    @Test
    void wildcards() throws IOException {
        Files.writeString(folder.resolve("colour.txt"), "\uFEFF# a comment\r\nred\r\n\n{dark|light} blue\n");
        Files.write(folder.resolve("latin.txt"), new byte[] {'k', (byte) 0xe4, 's', 'e'});
        Files.createDirectories(folder.resolve("in"));
        Files.writeString(folder.resolve("in/thing.txt"), "__colour__ car\n");
        Files.writeString(folder.resolve("loop.txt"), "x __loop__\n");
        Files.writeString(folder.resolve("empty.txt"), "# nothing\n");
        Alternatives lists = new Alternatives(folder);
        assertThat(choices(lists, "a __in/thing__", 300)).containsOnlyKeys("a red car", "a dark blue car",
                "a light blue car");
        SplittableRandom random = new SplittableRandom(1);
        assertThatThrownBy(() -> lists.choose("__loop__", random)).isInstanceOf(InputException.class)
                .hasMessageContaining("does a wildcard name itself?");
        assertThatThrownBy(() -> lists.choose("__latin__", random)).hasMessageContaining("latin.txt: cannot be read (it"
                + " is not UTF-8");
        assertThatThrownBy(() -> lists.choose("__none__", random)).isInstanceOf(InputException.class)
                .hasMessageContaining("there is no wildcard 'none'");
        assertThatThrownBy(() -> lists.choose("__empty__", random)).hasMessageContaining("has no lines");
        assertThatThrownBy(() -> lists.choose("__a/../../etc__", random)).isInstanceOf(InputException.class);
        assertThatThrownBy(() -> new Alternatives(null).choose("__colour__", random))
                .hasMessageContaining("--wildcards");
    }

    @Test
    void theSameSeedChoosesTheSame() {
        Alternatives plain = new Alternatives(null);
        String text = "{a|b|c|d} {e|f|g|h} {2$$i|j|k}";
        for (int seed = 0; seed < 20; seed++) {
            assertThat(plain.choose(text, new SplittableRandom(seed)))
                    .isEqualTo(plain.choose(text, new SplittableRandom(seed)));
        }
    }
}
