package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JavaNoteTest {
    @ParameterizedTest
    @CsvSource({"25, true", "25.0.1+8, true", "25.0.2+10-LTS, true", "25.0.2.1, true", "25.0.3+9-LTS, false",
        "25.0.10, false", "26-ea+12, true", "26, true", "26.0.1, false", "27-ea, false", "27.0.1, false"})
    void isForTheVersionsWithTheFault(String version, boolean affected) {
        Runtime.Version java = Runtime.Version.parse(version);
        assertThat(JavaNote.of(java, Stream.of("G1 Young Generation", "G1 Concurrent GC", "G1 Old Generation")))
                .isEqualTo(affected ? "note: Java " + version + " can corrupt arrays under its collector G1"
                        + " (JDK-8377811); use 25.0.3, 26.0.1 or newer, or start it with -XX:+UseSerialGC" : null);
        assertThat(JavaNote.of(java, Stream.of("Copy", "MarkSweepCompact"))).isNull();
    }
}
