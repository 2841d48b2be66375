package jdiffusion.tensor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import jdiffusion.tensor.gguf.GgufFile;
import jdiffusion.tensor.safetensors.SafetensorsFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What was saved under the name of a file of weights. */
class FileKindTest {
    @TempDir
    private Path folder;

    private void assertFails(byte[] bytes, String... parts) throws IOException {
        Path file = Files.write(folder.resolve("x.safetensors"), bytes);
        assertThatThrownBy(() -> SafetensorsFile.open(file)).isInstanceOf(InputException.class)
                .hasMessageStartingWith(file + ": ").satisfies(e -> assertThat(e.getMessage()).contains(parts)
                        .doesNotContain("\n").hasSizeLessThan(600));
        Path gguf = Files.write(folder.resolve("x.gguf"), bytes);
        assertThatThrownBy(() -> GgufFile.open(gguf)).isInstanceOf(InputException.class)
                .hasMessageStartingWith(gguf + ": ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"<!DOCTYPE html><html><body>Sign in", "\uFEFF  <!doctype HTML>\n", "<html lang=\"en\">",
        "<HTML><HEAD>", "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code>", "<!-- x --><html>"})
    void webPages(String text) throws IOException {
        assertFails(text.getBytes(StandardCharsets.UTF_8), "is a web page, not the file itself");
    }

    @ParameterizedTest
    @CsvSource({"PK\u0003\u0004 archive/data.pkl,a ZIP archive", "\u0080\u0002}q\u0000(X\u0008,a Python pickle",
        "\u0089PNG....,a PNG picture"})
    void otherFormats(String start, String kind) throws IOException {
        assertFails((start + "........").getBytes(StandardCharsets.ISO_8859_1), "is not a safetensors file", kind);
    }

    @Test
    void answersOfServersAndGguf() throws IOException {
        assertFails("Access to model stabilityai/x is restricted.".getBytes(StandardCharsets.UTF_8),
                "a text that begins with 'Access to model stabilityai/x is restricted.'");
        assertFails("{\"error\": \"Repository not found\"}".getBytes(StandardCharsets.UTF_8), "Repository not found");
        assertFails("version https://git-lfs.github.com/spec/v1\noid".getBytes(StandardCharsets.UTF_8),
                "is a Git LFS pointer");
        assertFails(new byte[4096], "broken off");
        Path file = Files.write(folder.resolve("y.safetensors"),
                "GGUF\3\0\0\0........".getBytes(StandardCharsets.UTF_8));
        assertThatThrownBy(() -> SafetensorsFile.open(file)).hasMessageContaining("a name that ends in .gguf");
    }

    @Test
    void textsWithMarks() {
        byte[] plain = "{\"\u00e9\": 1}".getBytes(StandardCharsets.UTF_8);
        assertThat(PlainText.utf8(plain)).isSameAs(plain);
        assertThat(PlainText.utf8("\uFEFF{\"\u00e9\": 1}".getBytes(StandardCharsets.UTF_8))).isEqualTo(plain);
        assertThat(PlainText.utf8("{\"\u00e9\": 1}".getBytes(StandardCharsets.UTF_16))).isEqualTo(plain);
        assertThat(PlainText.utf8("\uFEFF{\"\u00e9\": 1}".getBytes(StandardCharsets.UTF_16LE))).isEqualTo(plain);
        JsonInput json = new JsonInput("x", "\uFEFF{\"a\": null}".getBytes(StandardCharsets.UTF_8));
        json.object("it");
        assertThat(json.field()).isEqualTo("a");
        assertThat(json.objectOrNull("a")).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"F16,F16", "f16,F16", "float16,F16", "torch.bfloat16,BF16", "bf16,BF16", "F8_E4M3FN,F8_E4M3",
        "float8_e5m2,F8_E5M2", "U64,U64", "uint16,U16"})
    void namesOfTypes(String name, DType type) {
        assertThat(DType.of(name)).isEqualTo(type);
    }
}
