package jdiffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.JsonTree;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The example files for Kubernetes and Slurm ask for what the command line has, and their tasks draw their shards. */
class ScaleFilesTest {
    private static final Path SCALE = Path.of("../docs/scale");
    private static final Pattern ARGUMENTS = Pattern.compile("args: (\\[[^]]*])");
    private static final int ROWS = 16;

    @TempDir
    private Path folder;

    /** Runs the arguments with the variables and checks that just one row, of the shard, was drawn. */
    private void draws(List<String> given, Map<String, String> variables, int shard) throws Exception {
        List<String> rows = new ArrayList<>();
        for (int i = 0; i < ROWS; i++) {
            rows.add("{\"id\": \"" + i + "\", \"prompt\": \"a blue square\", \"width\": 64, \"height\": 64,"
                    + " \"steps\": 1}");
        }
        Path table = Files.write(folder.resolve("prompts.jsonl"), rows);
        Path out = folder.resolve("out");
        List<Object> arguments = new ArrayList<>(given);
        arguments.set(1, table);
        arguments.set(given.indexOf("-o") + 1, out);
        arguments.set(given.indexOf("--model") + 1, TestModel.SHAPES);
        assertThat(given.get(given.indexOf("--device") + 1)).isEqualTo("cuda");
        arguments.set(given.indexOf("--device") + 1, "cpu");
        Cli run = Cli.with(variables, arguments.toArray());
        assertThat(run.code()).as(run.err().toString()).isZero();
        Path manifest = out.resolve(String.format("manifest-%05d-of-%05d.jsonl", shard, ROWS));
        assertThat(Files.readAllLines(manifest)).singleElement().satisfies(line ->
                assertThat(JsonTree.readWhole(line).get("row").intValue()).isEqualTo(shard));
    }

    @Test
    void kubernetes() throws Exception {
        Matcher arguments = ARGUMENTS.matcher(Files.readString(SCALE.resolve("indexed-job.yaml")));
        assertThat(arguments.find()).isTrue();
        List<String> given = new ArrayList<>();
        JsonTree.readWhole(arguments.group(1)).forEach(one -> given.add(one.textValue()));
        draws(given, Map.of("JOB_COMPLETION_INDEX", "11"), 11);
    }

    /** The script itself, with a program in jdiffusion's place that prints what it is given. */
    @Test
    @DisabledOnOs(value = OS.WINDOWS, disabledReason = "Slurm does not run there, and the script is for bash")
    void slurm() throws Exception {
        Path printer = Files.writeString(Files.createFile(folder.resolve("print"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))),
                "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
        ProcessBuilder builder = new ProcessBuilder("bash", SCALE.resolve("array.sh").toString(), "prompts.jsonl",
                "out").redirectErrorStream(true);
        builder.environment().put("JDIFFUSION", printer.toString());
        builder.environment().remove("MODEL");
        Process process = builder.start();
        List<String> given = process.inputReader().readAllLines();
        assertThat(process.waitFor()).as(given.toString()).isZero();
        assertThat(given).startsWith("batch", "prompts.jsonl", "-o", "out");
        draws(given, Map.of("SLURM_ARRAY_TASK_ID", "16", "SLURM_ARRAY_TASK_MIN", "1"), 15);
    }
}
