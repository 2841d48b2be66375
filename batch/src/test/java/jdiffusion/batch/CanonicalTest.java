package jdiffusion.batch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.model.image.Picture;
import org.junit.jupiter.api.Test;

class CanonicalTest {
    private record Point(int x, float y, String name) {
    }

    private record Other(int x, float y, String name) {
    }

    @Test
    void equalValuesHaveOneText() {
        assertThat(Canonical.json(new Point(1, 2, "a")).toString())
                .isEqualTo("{\"is\":\"Point\",\"x\":1,\"y\":\"2.0\",\"name\":\"a\"}");
        assertThat(Canonical.json(new Point(1, 2, "a"))).isNotEqualTo(Canonical.json(new Other(1, 2, "a")));
        assertThat(Canonical.json(0.1f)).isNotEqualTo(Canonical.json(0.1f + Math.ulp(0.1f)));
        assertThat(Canonical.json(Float.NaN)).isEqualTo(Canonical.json(Float.NaN));
        assertThat(Canonical.json(-1L).textValue()).isEqualTo("18446744073709551615");
        Map<String, Object> one = new LinkedHashMap<>(Map.of("a", 1));
        one.put("b", null);
        Map<String, Object> turned = new LinkedHashMap<>();
        turned.put("b", null);
        turned.put("a", 1);
        assertThat(Canonical.json(one).toString()).isEqualTo(Canonical.json(turned).toString());
        assertThat(Canonical.json(new ArrayList<>(List.of(1, 2)))).isEqualTo(Canonical.json(List.of(1, 2)));
    }

    @Test
    void picturesByTheirPixels() {
        Picture black = new Picture(2, 1, new byte[6]);
        Picture tall = new Picture(1, 2, new byte[6]);
        Picture grey = new Picture(2, 1, new byte[] {0, 0, 0, 0, 0, 1});
        assertThat(List.of(black, tall, grey).stream().map(Canonical::json).distinct()).hasSize(3);
        assertThat(Canonical.json(black)).isEqualTo(Canonical.json(new Picture(2, 1, new byte[6])));
    }

    @Test
    void whatHasNoForm() {
        assertThatThrownBy(() -> Canonical.json(new Object())).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> Canonical.json(Path.of("a"))).isInstanceOf(IllegalArgumentException.class);
    }
}
