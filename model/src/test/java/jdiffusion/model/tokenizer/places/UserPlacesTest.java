package jdiffusion.model.tokenizer.places;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class UserPlacesTest {
    private static Path hub(String... variables) {
        return places(variables).hub();
    }

    private static UserPlaces places(String... variables) {
        Map<String, String> environment = new HashMap<>();
        for (int i = 0; i < variables.length; i += 2) {
            environment.put(variables[i], variables[i + 1]);
        }
        return UserPlaces.of(environment);
    }

    @Test
    void theFirstVariableThatIsSetCounts() {
        String[] all = {"HOME", "/h", "XDG_CACHE_HOME", "/x", "HF_HOME", "/f", "HUGGINGFACE_HUB_CACHE", "/old",
            "HF_HUB_CACHE", "/new"};
        assertThat(hub(all)).isEqualTo(Path.of("/new"));
        assertThat(hub(java.util.Arrays.copyOf(all, 8))).isEqualTo(Path.of("/old"));
        assertThat(hub(java.util.Arrays.copyOf(all, 6))).isEqualTo(Path.of("/f/hub"));
        assertThat(hub(java.util.Arrays.copyOf(all, 4))).isEqualTo(Path.of("/x/huggingface/hub"));
        assertThat(hub(java.util.Arrays.copyOf(all, 2))).isEqualTo(Path.of("/h/.cache/huggingface/hub"));
        assertThat(places(all).own()).isEqualTo(Path.of("/x/jdiffusion/tokenizers"));
    }

    @Test
    void nothingIsLookedForWithoutAHome() {
        assertThat(places()).isEqualTo(UserPlaces.NONE);
        assertThat(hub("HF_HOME", " ", "HOME", "")).isNull();
        assertThat(hub("USERPROFILE", "/u")).isEqualTo(Path.of("/u/.cache/huggingface/hub"));
    }

    @Test
    void aTildeIsTheHome() {
        assertThat(hub("HOME", "/h", "HF_HOME", "~/models")).isEqualTo(Path.of("/h/models/hub"));
        assertThat(hub("HOME", "/h", "HF_HUB_CACHE", "~")).isEqualTo(Path.of("/h"));
    }
}
