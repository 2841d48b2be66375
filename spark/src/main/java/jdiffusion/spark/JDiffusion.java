package jdiffusion.spark;

import java.io.Serial;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.tensor.InputException;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.resource.ResourceInformation;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.IntegerType;
import org.apache.spark.sql.types.LongType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.SerializableConfiguration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Draws tables of prompts on the executors of a Spark cluster. */
public final class JDiffusion {
    private static final Logger LOG = LoggerFactory.getLogger(JDiffusion.class);
    private static final String GPU = "gpu";

    private JDiffusion() {
    }

    /**
     * A table with a row for each picture of each prompt: row, id, image, name, prompt, seed, width, height, file,
     * bytes, seconds, host, device, error, perhaps picture, and then the columns of {@code prompts} that say nothing
     * about a picture. A prompt that cannot be drawn is a row with an error.
     *
     * <p>The columns of {@code prompts} are those of {@code jdiffusion batch}. A column {@code row} of whole numbers
     * numbers the rows; without one they are numbered in their order, for which Spark may read the table once more.
     *
     * <p>Pictures are drawn when the result is read. Those that lie in {@code settings.out()} already are not drawn
     * again, so reading it twice draws once; without a folder, cache or write the result.
     *
     * @throws InputException when the settings contradict each other
     */
    public static Dataset<Row> generate(Dataset<Row> prompts, Settings settings) {
        return generate(prompts, settings, ModelOpening::open);
    }

    static Dataset<Row> generate(Dataset<Row> prompts, Settings settings, Opening opening) {
        SparkSession spark = prompts.sparkSession();
        Dataset<Row> numbered = numbered(prompts);
        Manifest manifest = Manifest.of(numbered.schema(), spark.conf().get("spark.sql.columnNameOfCorruptRecord"),
                settings.column(), LOG::warn);
        Broadcast<SerializableConfiguration> hadoop = SerializableConfiguration.broadcast(spark.sparkContext());
        return numbered.mapPartitions(new Task(manifest, settings, opening, hadoop,
                spark.sparkContext().applicationId()), Encoders.row(manifest.schema()));
    }

    /** The table with a column of row numbers. */
    static Dataset<Row> numbered(Dataset<Row> prompts) {
        StructType schema = prompts.schema();
        int place = Manifest.place(schema, Manifest.ROW);
        if (place >= 0) {
            StructField field = schema.fields()[place];
            if (!(field.dataType() instanceof LongType) && !(field.dataType() instanceof IntegerType)) {
                throw new InputException("the column " + field.name() + " is of type "
                        + field.dataType().simpleString() + "; it numbers the rows, so make it a bigint, or rename it");
            }
            return prompts;
        }
        StructType with = schema.add(Manifest.ROW, DataTypes.LongType, false);
        return prompts.sparkSession().createDataFrame(prompts.javaRDD().zipWithIndex().map(pair -> {
            Object[] cells = new Object[pair._1().length() + 1];
            for (int i = 0; i < cells.length - 1; i++) {
                cells[i] = pair._1().get(i);
            }
            cells[cells.length - 1] = pair._2();
            return RowFactory.create(cells);
        }), with);
    }

    /** The GPU that Spark gives to this task, where the settings leave the choice; otherwise what they say. */
    static String device(Settings settings, Map<String, ResourceInformation> resources) {
        String wanted = settings.device().toLowerCase(Locale.ROOT);
        ResourceInformation gpu = resources.get(GPU);
        if (gpu == null || !List.of("auto", "cuda").contains(wanted)) {
            return wanted;
        }
        String[] addresses = gpu.addresses();
        if (addresses.length != 1 || !addresses[0].matches("[0-9]{1,9}")) {
            throw new InputException("Spark gives this task the GPUs " + Arrays.toString(addresses) + "; a task uses"
                    + " one, by its number: set spark.task.resource.gpu.amount=1 and check the discovery script");
        }
        return "cuda:" + addresses[0];
    }

    private static String host() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException _) {
            return InetAddress.getLoopbackAddress().getHostName();
        }
    }

    /** What runs on an executor. */
    private record Task(Manifest manifest, Settings settings, Opening opening,
                        Broadcast<SerializableConfiguration> hadoop, String run)
            implements MapPartitionsFunction<Row, Row> {
        @Serial
        private static final long serialVersionUID = 1L;

        @Override
        public Iterator<Row> call(Iterator<Row> rows) {
            TaskContext task = TaskContext.get();
            HeldPainter.Key key = new HeldPainter.Key(settings, device(settings, task.resourcesJMap()), task.cpus());
            Configuration configuration = hadoop.value().value();
            HadoopStore store = settings.out() == null ? null
                    : new HadoopStore(settings.out(), run, Long.toString(task.taskAttemptId()), configuration);
            return new PaintedRows(rows, manifest, store, settings, host(),
                    work -> HeldPainter.with(key, opening, work), task::killTaskIfInterrupted);
        }
    }
}
