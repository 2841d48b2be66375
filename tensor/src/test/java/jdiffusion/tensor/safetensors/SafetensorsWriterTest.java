package jdiffusion.tensor.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import jdiffusion.tensor.Content;
import jdiffusion.tensor.ContentWriter;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.OutputFile;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsWriter.Entry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tensors that are made piece by piece. */
class SafetensorsWriterTest {
    @TempDir
    private Path folder;

    /** Byte i is i * 7 + seed; made in pieces of a ragged size. */
    private record Made(long byteSize, int unit, int seed) implements Content {
        @Override
        public int pieceSize() {
            return 1000 / unit * unit;
        }

        @Override
        public void read(long offset, MemorySegment to) {
            assertThat(offset % unit).isZero();
            for (long i = 0; i < to.byteSize(); i++) {
                to.set(ValueLayout.JAVA_BYTE, i, (byte) ((offset + i) * 7 + seed));
            }
        }

        byte[] all() {
            byte[] all = new byte[(int) byteSize];
            for (int i = 0; i < all.length; i++) {
                all[i] = (byte) (i * 7 + seed);
            }
            return all;
        }
    }

    private static Entry entry(String name, Made content) {
        return new Entry(name, DType.U8, Shape.of((int) content.byteSize), content);
    }

    private List<String> names() throws IOException {
        try (Stream<Path> list = Files.list(folder)) {
            return list.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.data().asSlice(0, tensor.byteSize()).toArray(ValueLayout.JAVA_BYTE);
    }

    @Test
    void piecesAreInTheirPlaces() {
        List<Made> contents = List.of(new Made(12_345, 3, 1), new Made(0, 1, 2), new Made(1, 1, 3),
                new Made(34 * 300, 34, 4), new Made(999, 7, 5));
        List<Entry> entries = new ArrayList<>();
        for (int i = 0; i < contents.size(); i++) {
            entries.add(entry("t" + i, contents.get(i)));
        }
        long[] written = {0};
        SafetensorsWriter.write(folder.resolve("f"), entries, Map.of(), n -> written[0] += n);
        assertThat(written[0]).isEqualTo(contents.stream().mapToLong(Made::byteSize).sum());
        try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("f"))) {
            for (int i = 0; i < contents.size(); i++) {
                assertThat(bytes(file.find("t" + i))).isEqualTo(contents.get(i).all());
            }
        }
    }

    @Test
    void partsOfContents() {
        Made one = new Made(3000, 3, 1);
        Made two = new Made(1700, 3, 9);
        Content both = Content.concat(List.of(one, two));
        byte[] all = new byte[4700];
        System.arraycopy(one.all(), 0, all, 0, 3000);
        System.arraycopy(two.all(), 0, all, 3000, 1700);
        byte[] made = new byte[4700];
        both.readAll(MemorySegment.ofArray(made));
        assertThat(made).isEqualTo(all);
        byte[] part = new byte[500];
        both.slice(2700, 1500).read(99, MemorySegment.ofArray(part));
        assertThat(part).isEqualTo(java.util.Arrays.copyOfRange(all, 2799, 3299));
        assertThatThrownBy(() -> Content.concat(List.of(new Made(7, 3, 1), two)))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> both.slice(1, 3)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new Entry("t", DType.F32, Shape.of(2), one)).hasMessageContaining("t is F32[2]");
    }

    @Test
    void shardsAndTheirIndex() throws IOException {
        List<Entry> entries = List.of(entry("a", new Made(500, 1, 1)), entry("b", new Made(600, 1, 2)),
                entry("c", new Made(3000, 1, 3)), entry("d", new Made(10, 1, 4)));
        Locale locale = Locale.getDefault();
        try {
            Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
            SafetensorsWriter.writeShards(folder, "model", entries, Map.of(), 1100, _ -> { });
        } finally {
            Locale.setDefault(locale);
        }
        assertThat(names()).containsExactly("model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                "model-00003-of-00003.safetensors", "model.safetensors.index.json");
        assertThat(Files.readString(folder.resolve("model.safetensors.index.json"))).contains("\"total_size\" : 4110");
        try (Checkpoint checkpoint = Checkpoint.open(folder, "model")) {
            for (Entry entry : entries) {
                assertThat(bytes(checkpoint.find(entry.name()))).isEqualTo(((Made) entry.content()).all());
            }
        }
        SafetensorsWriter.writeShards(folder, "small", entries, Map.of(), 1 << 20, _ -> { });
        assertThat(names()).contains("small.safetensors").hasSize(5);
    }

    @Test
    void aFailureNamesFileAndTensorAndLeavesNothing() throws IOException {
        Path path = folder.resolve("f");
        Content fails = new Content() {
            @Override
            public long byteSize() {
                return 5_000_000;
            }

            @Override
            public int unit() {
                return 1;
            }

            @Override
            public void read(long offset, MemorySegment to) {
                if (offset > 0) {
                    throw new InputException("cannot be made");
                }
            }
        };
        assertThatThrownBy(() -> SafetensorsWriter.write(path, List.of(new Entry("t", DType.U8,
                Shape.of(5_000_000), fails)), Map.of(), _ -> { })).isInstanceOf(InputException.class)
                .hasMessage("cannot be made");
        // A channel that is closed stands for a disk that is full: writing to it fails.
        assertThatThrownBy(() -> OutputFile.write(path, channel -> {
            channel.close();
            ContentWriter.write(channel, List.of(new ContentWriter.Part("blocks.3.weight", new Made(9, 1, 1))),
                    _ -> { });
        })).isInstanceOf(InputException.class)
                .hasMessageStartingWith(path + ": cannot be written (")
                .hasMessageContaining("at tensor blocks.3.weight");
        assertThat(names()).isEmpty();
    }

    @Test
    void aFolderIsThereWholeOrNotAtAll() throws IOException {
        Path path = folder.resolve("model");
        assertThatThrownBy(() -> OutputFile.writeFolder(path, temporary -> {
            SafetensorsWriter.write(temporary.resolve("w"), List.of(), Map.of(), _ -> { });
            throw new InputException(temporary.resolve("w") + ": no room");
        })).isInstanceOf(InputException.class).hasMessage(path + "/w: no room");
        assertThat(names()).isEmpty();
        Files.createDirectory(path);
        OutputFile.writeFolder(path, temporary -> SafetensorsWriter.write(temporary.resolve("w"), List.of(), Map.of(),
                _ -> { }));
        assertThat(path.resolve("w")).exists();
        assertThat(names()).containsExactly("model");
        assertThatThrownBy(() -> OutputFile.writeFolder(path, _ -> { })).isInstanceOf(InputException.class)
                .hasMessage(path + ": is there already and not empty; name a new folder, or delete it");
        Path spaced = Files.createDirectory(folder.resolve("my models")).resolve("model");
        assertThatThrownBy(() -> OutputFile.writeFolder(spaced, temporary -> {
            throw new InputException(temporary.resolve("w") + ": no room");
        })).hasMessage(spaced + "/w: no room");
        assertThatThrownBy(() -> OutputFile.writeFolder(folder.resolve("none/model"), _ -> { }))
                .hasMessageContaining("its folder does not exist");
    }
}
