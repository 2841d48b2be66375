package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.counting.CountingBackend;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.stage.Watch;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;

/**
 * The final layer applied after every block of a transformer ("logit lens", nostalgebraist, 2020): after each
 * evaluation the network is asked again with no block run, and in the place of the embedded image what a block gave.
 */
public final class Lens implements Watch {
    private static final String IMAGE = "embedded.image";

    private final List<String> blocks;
    private final List<Integer> steps;
    private final int textRows;
    private final Map<Integer, Step> seen = new LinkedHashMap<>();

    /**
     * What was seen in one evaluation of the denoiser.
     *
     * @param latents     [images, channels, height, width] before it
     * @param predictions for each block [batch, channels, height, width]
     */
    public record Step(float[] latents, List<float[]> predictions) {
    }

    /**
     * @param steps evaluations to look at; empty for all
     * @throws InputException for a network that has no single stream from block to block
     */
    public Lens(Sites sites, List<Integer> steps) {
        this.steps = List.copyOf(steps);
        if (sites.find(IMAGE) == null) {
            throw new InputException("the lens needs a transformer, whose blocks all change one stream that its final"
                    + " layer reads; this denoiser is a UNet, whose blocks differ in size");
        }
        blocks = sites.all().stream().filter(site -> !site.isInput() && sites.find(Binding.input(site.name())) != null
                && !site.name().endsWith(".context")).map(Site::name).toList();
        Site context = sites.find("embedded.context");
        textRows = context == null ? 0 : context.rows();
        for (int step : steps) {
            if (step >= sites.steps()) {
                throw new InputException("step " + step + " is not there: this run has " + sites.steps()
                        + " evaluations of the denoiser, 0 to " + (sites.steps() - 1));
            }
        }
    }

    /** Names of the blocks' outputs, in their order. */
    public List<String> blocks() {
        return blocks;
    }

    /** By evaluation. */
    public Map<Integer, Step> seen() {
        return seen;
    }

    @Override
    public Trace of(Component component, Backend backend) {
        return component != Component.DENOISER || backend instanceof CountingBackend ? Trace.NONE : new Seen(backend);
    }

    private final class Seen implements Trace {
        private final Backend backend;
        private final Map<String, float[]> streams = new LinkedHashMap<>();
        private float[] latents;
        private Tensor prediction;
        private int batch;
        private int step;
        /** What takes the embedded image's place; null in an evaluation of the run itself. */
        private float[] shown;

        Seen(Backend backend) {
            this.backend = backend;
        }

        @Override
        public void step(int newStep, int draw) {
            step = draw == 0 ? newStep : -1;
        }

        @Override
        public int passes(String block) {
            return shown == null ? 1 : 0;
        }

        @Override
        public boolean see(String name, String module, Tensor tensor, int heads) {
            if (shown != null) {
                if (name.equals(IMAGE)) {
                    backend.upload(shown, tensor);
                    return true;
                }
                return false;
            }
            if (!wanted()) {
                return false;
            }
            if (name.equals("latents")) {
                latents = backend.download(tensor);
            } else if (name.equals("prediction")) {
                prediction = tensor;
                batch = tensor.shape().dim(0);
            } else if (blocks.contains(name)) {
                streams.put(name, backend.download(tensor));
            }
            return false;
        }

        private boolean wanted() {
            return step >= 0 && (steps.isEmpty() || steps.contains(step));
        }

        @Override
        public void evaluated(Runnable again) {
            if (!wanted() || seen.containsKey(step)) {
                return;
            }
            float[] own = backend.download(prediction);
            List<float[]> predictions = new ArrayList<>();
            for (String block : blocks) {
                shown = image(block);
                again.run();
                predictions.add(backend.download(prediction));
            }
            shown = null;
            backend.upload(own, prediction);
            seen.put(step, new Step(latents, predictions));
        }

        /** Of a stream of text and image the rows of the image. */
        private float[] image(String block) {
            float[] all = streams.get(block);
            float[] whole = streams.values().iterator().next();
            if (!block.startsWith("single.") || whole.length == all.length) {
                return all;
            }
            int size = all.length / batch;
            int width = (all.length - whole.length) / batch / textRows;
            int text = textRows * width;
            float[] image = new float[batch * (size - text)];
            for (int i = 0; i < batch; i++) {
                System.arraycopy(all, i * size + text, image, i * (size - text), size - text);
            }
            return image;
        }
    }
}
