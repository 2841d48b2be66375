package jdiffusion.model.sites;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.model.AttentionSite;
import jdiffusion.model.Branch;
import jdiffusion.model.Trace;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.stage.Watch;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;

/** Notes what there is to see in a run, which may only count memory. */
public final class Listing implements Watch {
    private final Map<String, Site> found = new LinkedHashMap<>();
    private final Map<String, Attention> attentions = new LinkedHashMap<>();

    @Override
    public Trace of(Component component, Backend backend) {
        return new Noted(component);
    }

    /**
     * What was seen.
     *
     * @param request as it was drawn
     * @param files   of the model
     * @param steps   evaluations of the denoiser
     * @param tiled   whether the VAE works on tiles
     */
    public Sites sites(GenerationRequest request, ModelFiles files, int steps, boolean tiled) {
        Map<String, Site> all = new LinkedHashMap<>(found);
        if (tiled) {
            all.values().removeIf(site -> site.component() == Component.VAE);
        }
        return new Sites(all, attentions, request, files, steps, tiled);
    }

    private final class Noted implements Trace {
        private final Component component;
        private int batch = 1;
        private boolean branched;
        private boolean steps;

        Noted(Component component) {
            this.component = component;
        }

        @Override
        public void batch(int images, Branch... branches) {
            branched = branches.length > 0;
            batch = images * Math.max(1, branches.length);
        }

        @Override
        public void step(int step, int draw) {
            steps = true;
        }

        @Override
        public boolean see(String local, String module, Tensor tensor, int heads) {
            String name = Session.prefix(component) + local;
            Shape shape = tensor.shape();
            int entries = component == Component.DENOISER ? batch : component == Component.VAE ? 1
                    : shape.dim(0);
            boolean common = component == Component.DENOISER && shape.dim(0) == 1 && batch > 1;
            Shape one = one(shape, common ? 1 : entries);
            Site.Layout layout = one.rank() == 1 ? Site.Layout.VECTOR
                    : one.rank() == 2 ? Site.Layout.TOKENS : Site.Layout.IMAGE;
            Site.When when = component.isEncoder() ? Site.When.TEXT : component == Component.VAE ? Site.When.PICTURE
                    : steps ? Site.When.STEP : Site.When.START;
            found.putIfAbsent(name, new Site(name, module, component, layout, one, tensor.type(), heads, when,
                    component.isEncoder() || component == Component.DENOISER && branched && !common));
            return false;
        }

        @Override
        public void attention(Backend backend, AttentionSite site, AttentionShape shape,
                              List<AttentionStream> streams) {
            if (component == Component.DENOISER) {
                attentions.putIfAbsent(site.name(), Attention.of(site, shape, streams));
            }
            backend.attention(shape, streams, null);
        }

        /** A batch's entry, where [batch * tokens, width] is [batch, tokens, width]. */
        private static Shape one(Shape shape, int entries) {
            int[] dims = shape.dims();
            if (dims.length == 2 && dims[0] > entries) {
                return Shape.of(dims[0] / entries, dims[1]);
            }
            return Shape.of(Arrays.copyOfRange(dims, 1, dims.length));
        }
    }
}
