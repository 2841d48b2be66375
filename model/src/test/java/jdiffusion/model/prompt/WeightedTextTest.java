package jdiffusion.model.prompt;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class WeightedTextTest {
    private static final Chunk.Ends ENDS = new Chunk.Ends(1000, 1001, 0);
    private static final int COMMA = 7;

    /** As text and weight, with two decimals. */
    private static List<String> shown(List<WeightedText> parts) {
        return parts.stream().map(part -> part.isBreak() ? "BREAK"
                : part.text() + "|" + Math.round(part.weight() * 100) / 100.0).toList();
    }

    @Test
    void a1111() {
        assertThat(shown(WeightedText.a1111("normal text"))).containsExactly("normal text|1.0");
        assertThat(shown(WeightedText.a1111("an (important) word"))).containsExactly("an |1.0", "important|1.1",
                " word|1.0");
        assertThat(shown(WeightedText.a1111("(unbalanced"))).containsExactly("unbalanced|1.1");
        assertThat(shown(WeightedText.a1111("\\(literal\\]"))).containsExactly("(literal]|1.0");
        assertThat(shown(WeightedText.a1111("(unnecessary)(parens)"))).containsExactly("unnecessaryparens|1.1");
        assertThat(shown(WeightedText.a1111("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky)))."))).containsExactly(
                "a |1.0", "house|1.57", " |1.1", "on|1.0", " a |1.1", "hill|0.55", ", sun, |1.1", "sky|1.46", ".|1.1");
        assertThat(shown(WeightedText.a1111("at 10:30) [x:y]"))).containsExactly("at 10:30) |1.0", "x:y|0.91");
        assertThat(shown(WeightedText.a1111("one BREAK two BREAKS"))).containsExactly("one|1.0", "BREAK",
                "two BREAKS|1.0");
        assertThat(shown(WeightedText.a1111("(one BREAK two:0.5)"))).containsExactly("one|0.5", "BREAK", "two|0.5");
        assertThat(shown(WeightedText.a1111("(a:1.2.3) b\\n"))).containsExactly("a:1.2.3|1.1", " bn|1.0");
        assertThat(WeightedText.a1111("")).isEmpty();
    }

    @Test
    void comfyui() {
        assertThat(shown(WeightedText.comfyui("a (b:1.3) [c] BREAK"))).containsExactly("a |1.0", "b|1.3",
                " [c] BREAK|1.0");
        assertThat(shown(WeightedText.comfyui("((a) b:0.5)"))).containsExactly("a|0.55", " b|0.5");
        assertThat(shown(WeightedText.comfyui("((a:0.5))"))).containsExactly("a|0.5");
        assertThat(shown(WeightedText.comfyui("\\(a\\) (b:x) (c"))).containsExactly("(a) |1.0", "b:x|1.1", " |1.0",
                "(c|1.0");
        assertThat(shown(WeightedText.comfyui("(a:NaN) (b:1.3f)"))).containsExactly("a:NaN|1.1", " |1.0", "b:1.3f|1.1");
        assertThat(WeightedText.comfyui("(".repeat(50_000) + "a" + ")".repeat(50_000))).hasSize(1);
        assertThat(WeightedText.a1111("(".repeat(50_000) + ":")).hasSize(1);
        assertThat(shown(WeightedText.comfyui("a) b"))).containsExactly("a) b|1.0");
    }

    private static Chunk.Group group(double weight, int... ids) {
        return new Chunk.Group(ids, weight, false);
    }

    private static int[] ids(int from, int count) {
        int[] ids = new int[count];
        Arrays.setAll(ids, i -> from + i);
        return ids;
    }

    /** A comma that is near is the last token of a chunk; one that is far is not looked for. */
    @Test
    void chunksAreCutBehindCommas() {
        int[] near = ids(100, 80);
        near[64] = COMMA;
        List<Chunk> chunks = Chunk.a1111(List.of(group(1.5, near)), 77, ENDS, COMMA);
        assertThat(chunks).hasSize(2);
        assertThat(chunks.get(0).ids()[0]).isEqualTo(1000);
        assertThat(chunks.get(0).ids()[65]).isEqualTo(COMMA);
        assertThat(chunks.get(0).ids()[66]).isEqualTo(1001);
        assertThat(chunks.get(0).ids()[67]).isZero();
        assertThat(chunks.get(0).weights()[65]).isEqualTo(1.5f);
        assertThat(chunks.get(0).weights()[66]).isEqualTo(1);
        assertThat(chunks.get(1).ids()[1]).isEqualTo(165);
        assertThat(chunks.get(1).ids()[16]).isEqualTo(1001);
        int[] far = ids(100, 80);
        far[10] = COMMA;
        List<Chunk> cut = Chunk.a1111(List.of(group(1, far)), 77, ENDS, COMMA);
        assertThat(cut.get(0).ids()[75]).isEqualTo(174);
        assertThat(cut.get(0).ids()[76]).isEqualTo(1001);
        assertThat(cut.get(1).ids()[1]).isEqualTo(175);
    }

    @Test
    void breaksAndInversions() {
        List<Chunk> chunks = Chunk.a1111(List.of(group(1, 5), Chunk.Group.BREAK, group(1, ids(10, 74)),
                group(2, -1, -2, -3)), 77, ENDS, COMMA);
        assertThat(chunks).hasSize(3);
        assertThat(chunks.get(0).ids()[2]).isEqualTo(1001);
        assertThat(chunks.get(1).ids()[74]).isEqualTo(83);
        assertThat(chunks.get(1).ids()[75]).isEqualTo(1001);
        assertThat(Arrays.copyOf(chunks.get(2).ids(), 5)).containsExactly(1000, -1, -2, -3, 1001);
        assertThat(Chunk.a1111(List.of(), 77, ENDS, COMMA)).hasSize(1);
    }

    /** A word stays whole, unless it has eight tokens or more. */
    @Test
    void wordsStayTogether() {
        List<Chunk.Group> words = new ArrayList<>(List.of(group(1, ids(10, 72)), group(1, ids(200, 5))));
        List<Chunk> whole = Chunk.comfyui(words, 77, ENDS);
        assertThat(whole.get(0).ids()[73]).isEqualTo(1001);
        assertThat(whole.get(1).ids()[1]).isEqualTo(200);
        words.set(1, group(1, ids(200, 8)));
        List<Chunk> cut = Chunk.comfyui(words, 77, ENDS);
        assertThat(cut.get(0).ids()[75]).isEqualTo(202);
        assertThat(cut.get(1).ids()[1]).isEqualTo(203);
        assertThat(Chunk.cut(words, 10, new Chunk.Ends(-1, 1, 0)).ids()).containsExactly(10, 11, 12, 13, 14, 15, 16,
                17, 18, 1);
    }
}
