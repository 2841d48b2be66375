package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** README and the pages of docs. */
class DocumentationTest {
    @Test
    void linksLeadSomewhere() throws IOException {
        assertThat(DocLinks.broken(Path.of(".."))).isEmpty();
    }

    @Test
    void linksThatLeadNowhereAreFound(@TempDir Path folder) throws IOException {
        Files.createDirectory(folder.resolve("docs"));
        Files.writeString(folder.resolve("README.md"), """
                # Two, `words`
                [a](docs/page.md), [b](docs/none.md), [c](#two-words), [d](#two), [e](https://example.org/none)
                ```
                [f](none)
                ```
                """);
        Files.writeString(folder.resolve("docs/page.md"), "# Same\n# Same\n[g](../README.md#two-words), [h](#same-1),"
                + " [i](#same-2), [j](../README.md#words)");
        assertThat(DocLinks.broken(folder)).containsExactly("README.md: docs/none.md", "README.md: #two",
                "docs/page.md: #same-2", "docs/page.md: ../README.md#words");
    }
}
