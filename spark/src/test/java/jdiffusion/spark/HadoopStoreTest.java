package jdiffusion.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.tensor.InputException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HadoopStoreTest {
    private static final byte[] FILE = {1, 2, 3};
    private static final FakePainter.Text PICTURE = new FakePainter.Text("a", 1);

    @TempDir
    private Path folder;

    /** A folder that behaves as an object store, in which nothing is renamed. */
    public static final class Objects extends RawLocalFileSystem {
        @Override
        public URI getUri() {
            return URI.create("gs:///");
        }

        @Override
        public boolean rename(org.apache.hadoop.fs.Path from, org.apache.hadoop.fs.Path to) throws IOException {
            throw new IOException("a rename is a copy here");
        }
    }

    private List<String> files() throws IOException {
        try (var files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).map(file -> folder.relativize(file).toString()).toList();
        }
    }

    private HadoopStore local(String attempt) {
        return new HadoopStore(folder.toUri().toString(), "run", attempt, new Configuration());
    }

    @Test
    void writesToAFolderWithNothingBeside() throws IOException {
        HadoopStore store = local("1");
        assertThat(store.has(PICTURE)).isFalse();
        assertThat(store.put(PICTURE, FILE)).isEqualTo(3);
        assertThat(local("2").put(PICTURE, FILE)).as("by another attempt").isEqualTo(3);
        assertThat(store.has(PICTURE)).isTrue();
        assertThat(store.size(PICTURE)).isEqualTo(3);
        assertThat(store.read(PICTURE)).isEqualTo(FILE);
        String name = PICTURE.name();
        assertThat(files()).containsExactly("images/" + name.substring(0, 2) + "/" + name + ".txt");
    }

    @Test
    void removesWhatKilledTasksLeft() throws IOException {
        Path left = Files.createDirectories(folder.resolve(".parts/run")).resolve("7-abc");
        Files.write(left, FILE);
        Path other = Files.createDirectories(folder.resolve(".parts/other")).resolve("7-abc");
        Files.write(other, FILE);
        HadoopStore.cleanUp(folder.toUri().toString(), "run", new Configuration());
        assertThat(left).doesNotExist();
        assertThat(other).exists();
        HadoopStore.cleanUp(folder.toUri().toString(), "other", new Configuration());
        assertThat(folder.resolve(".parts")).doesNotExist();
        HadoopStore.cleanUp(folder.toUri().toString(), "none", new Configuration());
    }

    @Test
    void uploadsToTheOwnNameWhereARenameIsACopy() throws IOException {
        Configuration configuration = new Configuration();
        configuration.setClass("fs.gs.impl", Objects.class, org.apache.hadoop.fs.FileSystem.class);
        HadoopStore store = new HadoopStore("gs://" + folder, "run", "1", configuration);
        assertThat(store.put(PICTURE, FILE)).isEqualTo(3);
        assertThat(store.has(PICTURE)).isTrue();
        assertThat(files()).hasSize(1).first().asString().startsWith("images/").endsWith(".txt");
    }

    @Test
    void knowsWhereARenameIsOneStep() {
        for (String system : List.of("hdfs://name:8020/", "file:///", "abfs://c@a.dfs.core.windows.net/",
                "viewfs:///")) {
            assertThat(HadoopStore.renames(URI.create(system))).as(system).isTrue();
        }
        for (String system : List.of("s3a://bucket/", "gs://bucket/", "S3://bucket")) {
            assertThat(HadoopStore.renames(URI.create(system))).as(system).isFalse();
        }
    }

    @Test
    void namesAFileSystemThatIsNotThere() {
        assertThatThrownBy(() -> new HadoopStore("nosuch://host/out", "run", "1", new Configuration()))
                .isInstanceOf(InputException.class).hasMessageContaining("nosuch://host/out")
                .hasMessageContaining("check the address");
    }
}
