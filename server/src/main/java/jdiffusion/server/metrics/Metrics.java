package jdiffusion.server.metrics;

import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Locale;
import java.util.function.DoubleSupplier;
import jdiffusion.kernels.MemoryCount;
import jdiffusion.kernels.WorkCount;

/** What the server counts, for Prometheus. */
public final class Metrics {
    public static final String TYPE = PrometheusTextFormatWriter.CONTENT_TYPE;
    private static final double NANOS = 1e9;
    private static final double[] SECONDS = {0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800};

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final Counter requests = Counter.builder().name("jdiffusion_requests_total")
            .help("Requests that were answered.").labelNames("api", "route", "outcome").register(registry);
    private final Histogram requestSeconds = histogram("jdiffusion_request_seconds",
            "Time from a request to the end of its answer.", "api");
    private final Histogram waitSeconds = histogram("jdiffusion_queue_wait_seconds", "Time that jobs waited.");
    private final Counter jobs = Counter.builder().name("jdiffusion_jobs_total").help("Jobs that ended.")
            .labelNames("outcome").register(registry);
    private final Counter cancelled = Counter.builder().name("jdiffusion_cancelled_total")
            .help("Jobs that were cancelled.").register(registry);
    private final Counter notFinite = Counter.builder().name("jdiffusion_nan_total")
            .help("Jobs that failed since a stage gave numbers that are not finite.").register(registry);
    private final Counter images = Counter.builder().name("jdiffusion_images_total").help("Pictures drawn.")
            .labelNames("model").register(registry);
    private final Counter megapixels = Counter.builder().name("jdiffusion_megapixels_total")
            .help("Million pixels drawn.").labelNames("model").register(registry);
    private final Histogram stageSeconds = histogram("jdiffusion_stage_seconds", "Time of a stage of a run.",
            "stage");
    private final Histogram stepSeconds = histogram("jdiffusion_step_seconds",
            "Time of an evaluation of the denoiser.", "model", "megapixels");
    private final Histogram loadSeconds = histogram("jdiffusion_model_load_seconds",
            "Time to get a model ready.", "model");

    private Histogram histogram(String name, String help, String... labels) {
        return Histogram.builder().name(name).help(help).labelNames(labels).classicOnly()
                .classicUpperBounds(SECONDS).register(registry);
    }

    /** A value that is asked for when the metrics are. */
    public void gauge(String name, String help, DoubleSupplier value) {
        GaugeWithCallback.builder().name(name).help(help).callback(callback -> callback.call(value.getAsDouble()))
                .register(registry);
    }

    /** What a device counts of itself: the products that it was asked for, and its memory. */
    public void device(String name, WorkCount work, MemoryCount memory) {
        CounterWithCallback.builder().name("jdiffusion_flops_total").help("Multiplications and additions of the"
                + " products that the device was asked for.").labelNames("kind").callback(callback -> {
                    callback.call(work.linear(), "linear");
                    callback.call(work.attention(), "attention");
                    callback.call(work.convolution(), "convolution");
                }).register(registry);
        GaugeWithCallback.builder().name("jdiffusion_device_memory_bytes").help("Memory taken on the device, mapped"
                + " files aside.").labelNames("device", "kind").callback(callback -> callback.call(memory.live(), name,
                "live")).register(registry);
    }

    /** @param outcome such as {@code 2xx}, or {@code gone} where the client did not wait */
    public void request(String api, String route, String outcome, long nanos) {
        requests.labelValues(api, route, outcome).inc();
        requestSeconds.labelValues(api).observe(nanos / NANOS);
    }

    public void waited(long nanos) {
        waitSeconds.observe(nanos / NANOS);
    }

    /** A job failed with numbers that are not finite. */
    public void notFinite() {
        notFinite.inc();
    }

    /** A job was cancelled, by whomever. */
    public void cancelled() {
        cancelled.inc();
    }

    /** @param outcome completed, failed or cancelled */
    public void ended(String outcome) {
        jobs.labelValues(outcome).inc();
    }

    public void drawn(String model, int width, int height) {
        images.labelValues(model).inc();
        megapixels.labelValues(model).inc(width * (double) height / 1e6);
    }

    public void stage(String stage, long nanos) {
        stageSeconds.labelValues(stage).observe(nanos / NANOS);
    }

    public void step(String model, int width, int height, long nanos) {
        stepSeconds.labelValues(model, String.format(Locale.ROOT, "%.1f", width * (double) height / 1e6))
                .observe(nanos / NANOS);
    }

    public void loaded(String model, long nanos) {
        loadSeconds.labelValues(model).observe(nanos / NANOS);
    }

    /** All of it in Prometheus' text form. */
    public byte[] text() {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            PrometheusTextFormatWriter.create().write(out, registry.scrape());
        } catch (IOException e) {
            throw new IllegalStateException(e); // memory does not fail
        }
        return out.toByteArray();
    }
}
