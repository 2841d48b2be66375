package jdiffusion.kernels.patchify;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** Images cut into patches and put together again; both sides are float32 or 16 bits, each as it likes. */
public final class CudaPatchify {
    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaPatchify(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "patchify/patchify");
    }

    /** See {@link jdiffusion.kernels.Backend#patchify}. */
    public void patchify(Tensor x, int patch, Tensor out) {
        CpuPatchify.check("patchify", x, patch, out, x, out);
        launch("patchify", "patchify_cut", x, patch, out, x);
    }

    /** See {@link jdiffusion.kernels.Backend#unpatchify}. */
    public void unpatchify(Tensor x, int patch, Tensor out) {
        CpuPatchify.check("unpatchify", out, patch, x, x, out);
        launch("unpatchify", "patchify_join", out, patch, x, x);
    }

    private void launch(String operation, String kernel, Tensor image, int patch, Tensor patches, Tensor x) {
        int batch = image.shape().dim(0);
        int c = image.shape().dim(1);
        int h = image.shape().dim(2);
        int w = image.cols();
        int ofImage = Math.multiplyExact(Math.multiplyExact(c, h), w);
        KernelArgs args = cuda.args().rows(image).rows(patches)
                .int32(batch).int32(c).int32(h).int32(w).int32(patch).align(8);
        launch.perElement(() -> operation + " of " + x, kernel, batch, ofImage, args);
    }
}
