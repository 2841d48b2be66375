package jdiffusion.kernels.embedding;

import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.CudaTransfer;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** Rows looked up in a table, and the embedding of timesteps; out is float32 or 16 bits. */
public final class CudaEmbedding {
    private final Cuda cuda;
    private final CudaTransfer transfer;
    private final RowLaunch launch;

    /** @param transfer by which ids are uploaded */
    public CudaEmbedding(Cuda cuda, CudaTransfer transfer) {
        this.cuda = cuda;
        this.transfer = transfer;
        this.launch = new RowLaunch(cuda, "embedding/embedding");
    }

    /**
     * See {@link jdiffusion.kernels.Backend#embedding}. The ids are checked on the host; the denoiser does that at
     * every step, so it must not wait for the device.
     */
    public void embedding(Tensor ids, Tensor table, boolean add, Tensor out) {
        CpuEmbedding.check(ids, table, out);
        int[] values = ids == null ? null : transfer.indices(ids);
        CpuEmbedding.checkIds(r -> values == null ? r : values[r], table, out);
        KernelArgs args = cuda.args().pointer(ids).rows(table).rows(out)
                .int32(out.rows()).int32(out.cols()).int32(add ? 1 : 0).align(8);
        launch.perRun(() -> "embedding from " + table, "embedding", out.rows(), out.cols(),
                RowLaunch.width(Math.max(table.rows(), out.rows()), out.cols(), table, out), args);
    }

    /** See {@link jdiffusion.kernels.Backend#timestepEmbedding}. */
    public void timestepEmbedding(Tensor t, Tensor out) {
        CpuEmbedding.checkTimesteps(t, out);
        int half = out.cols() / 2;
        KernelArgs args = cuda.args().rows(t).rows(out)
                .float32(CpuEmbedding.MINUS_LOG_MAX_PERIOD).int32(out.rows()).int32(half).align(8);
        launch.perElement(() -> "timestepEmbedding of " + t, "embedding_timesteps", out.rows(), half, args);
    }
}
