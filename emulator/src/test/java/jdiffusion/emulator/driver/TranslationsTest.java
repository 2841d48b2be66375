package jdiffusion.emulator.driver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import jdiffusion.emulator.PtxException;
import jdiffusion.emulator.PtxProgram;
import org.junit.jupiter.api.Test;

class TranslationsTest {
    private static String ptx(String variable, String kernel, String body) {
        return """
                .version 7.8
                .target sm_80
                .address_size 64
                %s
                .visible .entry %s()
                {
                    %s
                }
                """.formatted(variable, kernel, body);
    }

    @Test
    void theSameTextIsTranslatedOnce() {
        PtxProgram first = Translations.of(ptx("", "one", "ret;"));
        assertThat(Translations.of(ptx("", "one", "ret;"))).isSameAs(first);
        assertThat(Translations.of(ptx("", "two", "ret;"))).isNotSameAs(first);
    }

    /** Else one device would see what another has written. */
    @Test
    void variablesAreOfOneDevice() {
        for (String space : new String[] {"global", "const"}) {
            String text = ptx("." + space + " .align 8 .b8 table[32];", "one", "ret;");
            PtxProgram first = Translations.of(text);
            PtxProgram second = Translations.of(text);
            assertThat(second.global("table").address()).as(space).isNotEqualTo(first.global("table").address());
        }
        String shared = ptx(".shared .align 8 .b8 table[32];", "one", "ret;");
        assertThat(Translations.of(shared)).isSameAs(Translations.of(shared));
    }

    @Test
    void whatIsNotUnderstoodIsNotKept() {
        String wrong = ptx("", "one", "frobnicate.u32 %r1;");
        for (int i = 0; i < 2; i++) {
            assertThatThrownBy(() -> Translations.of(wrong)).isInstanceOf(PtxException.class)
                    .hasMessageContaining("frobnicate");
        }
    }
}
