package jdiffusion.spark;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import jdiffusion.kernels.DeviceException;
import jdiffusion.tensor.InputException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkContext;
import org.apache.spark.sql.AnalysisException;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What spark-submit starts: draws a table of prompts into a folder, and writes a Parquet manifest beside. */
@Command(name = "jdiffusion-spark", mixinStandardHelpOptions = true, sortOptions = false,
        header = "Draws a table of prompts on a Spark cluster.")
public final class Main implements Callable<Integer> {
    private static final int OK = 0;
    /** The job failed, or some rows have no picture. */
    private static final int FAILED = 1;
    private static final int BAD_INPUT = 2;
    private static final String MANIFEST = "manifest.parquet";
    /** Tasks for each core, so that a slow one does not hold up the end. */
    private static final int WAVES = 4;

    @Parameters(paramLabel = "TABLE", description = "Prompts: .jsonl, .csv (with a first line of names), .tsv or"
            + " .parquet, a file or folder of any of Hadoop's file systems.")
    private String table;

    @Option(names = {"-o", "--output"}, required = true, paramLabel = "FOLDER",
            description = "Where pictures and " + MANIFEST + " go, in any of Hadoop's file systems.")
    private String out;

    @Option(names = {"-m", "--model"}, required = true, paramLabel = "PATH",
            description = "The model, which every executor finds under this path.")
    private String model;

    @Option(names = "--device", defaultValue = "auto", description = "auto, cpu, cuda or emulated; auto and cuda use"
            + " the GPU that Spark gives to a task.")
    private String device;

    @Option(names = "--precision", description = "f32, bf16, bf16x2, bf16x3, f16 or fp8 (default: the device's own).")
    private String precision;

    @Option(names = "--seed", defaultValue = "0", description = "Varies the seeds of rows that have none.")
    private long seed;

    @Option(names = "--picture-column", description = "The manifest has the pictures' files, too.")
    private boolean column;

    @Option(names = "--partitions", paramLabel = "N", description = "Tasks (default: those of the table, or four for"
            + " each core where that is more).")
    private Integer partitions;

    @Option(names = "--resume", description = "Go on with an earlier run in the same folder: its pictures stay, its"
            + " manifest is replaced.")
    private boolean resume;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    private Main() {
    }

    /** The arguments are those of {@code --help}. */
    public static void main(String[] args) {
        int code = run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), args);
        scala.Option<SparkSession> session = SparkSession.getDefaultSession();
        if (session.isDefined()) {
            session.get().stop();
        }
        // In a cluster's driver a zero would end the process before Spark has said that all went well.
        if (code != OK) {
            System.exit(code);
        }
    }

    /** Runs one command line, in the session that is there or a new one. */
    static int run(PrintWriter out, PrintWriter err, String... args) {
        return new CommandLine(new Main()).setOut(out).setErr(err).setExecutionExceptionHandler((e, line, _) -> {
            line.getErr().println("error: " + message(e));
            return cause(e, InputException.class) != null || cause(e, AnalysisException.class) != null ? BAD_INPUT
                    : FAILED;
        }).execute(args);
    }

    private static <T> T cause(Throwable e, Class<T> kind) {
        for (Throwable one = e; one != null; one = one.getCause()) {
            if (kind.isInstance(one)) {
                return kind.cast(one);
            }
        }
        return null;
    }

    /** The line that says what to do, under what Spark wraps around it. */
    private static String message(Throwable e) {
        for (Class<? extends Exception> kind : List.of(InputException.class, DeviceException.class,
                AnalysisException.class)) {
            Exception known = cause(e, kind);
            if (known != null) {
                return known.getMessage().lines().findFirst().orElse("");
            }
        }
        return String.valueOf(e.getMessage()).lines().findFirst().orElse(e.toString());
    }

    @Override
    public Integer call() throws Exception {
        if (partitions != null && partitions < 1) {
            throw new InputException("--partitions is " + partitions + "; use 1 or more");
        }
        SparkSession spark = SparkSession.builder().appName("jdiffusion").getOrCreate();
        SparkContext context = spark.sparkContext();
        Configuration configuration = context.hadoopConfiguration();
        Path manifest = new Path(out, MANIFEST);
        if (!resume && isThere(manifest, configuration)) {
            throw new InputException(manifest + ": is there already, of an earlier run; go on with it by --resume, or"
                    + " name another folder");
        }
        Settings settings = Settings.of(model, out).withDevice(device).withPrecision(precision).withSeed(seed)
                .withColumn(column);
        Dataset<Row> prompts = JDiffusion.numbered(read(spark));
        int tasks = partitions != null ? partitions : Math.max(prompts.rdd().getNumPartitions(),
                WAVES * context.defaultParallelism());
        try {
            JDiffusion.generate(prompts.repartition(tasks), settings).write()
                    .mode("overwrite").parquet(manifest.toString());
        } finally {
            HadoopStore.cleanUp(out, context.applicationId(), configuration);
        }
        return summary(spark.read().parquet(manifest.toString()));
    }

    /** A job that fails leaves a folder without files. */
    private static boolean isThere(Path manifest, Configuration configuration) throws IOException {
        FileSystem files = manifest.getFileSystem(configuration);
        return files.exists(manifest) && Arrays.stream(files.listStatus(manifest)).anyMatch(FileStatus::isFile);
    }

    private Dataset<Row> read(SparkSession spark) {
        String name = table.toLowerCase(Locale.ROOT).replaceAll("(\\.gz)?/*$", "");
        if (name.endsWith(".jsonl") || name.endsWith(".ndjson") || name.endsWith(".json")) {
            return spark.read().json(table);
        }
        if (name.endsWith(".csv") || name.endsWith(".tsv")) {
            return spark.read().option("header", true).option("escape", "\"").option("multiLine", true)
                    .option("sep", name.endsWith(".tsv") ? "\t" : ",").csv(table);
        }
        if (name.endsWith(".parquet")) {
            return spark.read().parquet(table);
        }
        throw new InputException(table + ": is no table of prompts by its name; give a .jsonl, .csv, .tsv or .parquet"
                + " file or folder");
    }

    private int summary(Dataset<Row> manifest) {
        PrintWriter text = spec.commandLine().getOut();
        Row counts = manifest.agg(functions.count("*"), functions.count(Manifest.ERROR),
                functions.sum(functions.when(functions.col("seconds").gt(0), 1).otherwise(0))).first();
        long failed = counts.getLong(1);
        text.println(counts.getLong(0) + " pictures asked for, " + (counts.isNullAt(2) ? 0 : counts.getLong(2))
                + " drawn, " + failed + " failed; " + new Path(out, MANIFEST) + " says which");
        return failed == 0 ? OK : FAILED;
    }
}
