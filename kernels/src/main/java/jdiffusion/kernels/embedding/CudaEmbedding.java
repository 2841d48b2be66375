package jdiffusion.kernels.embedding;

import java.lang.foreign.MemorySegment;
import java.util.function.IntUnaryOperator;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.kernels.cuda.RowLaunch;
import jdiffusion.tensor.Tensor;

/** Rows looked up in a table, and the embedding of timesteps; out is float32 or 16 bits. */
public final class CudaEmbedding {
    private final Cuda cuda;
    private final RowLaunch launch;

    public CudaEmbedding(Cuda cuda) {
        this.cuda = cuda;
        this.launch = new RowLaunch(cuda, "embedding/embedding");
    }

    /**
     * See {@link jdiffusion.kernels.Backend#embedding}. The ids are copied back to be checked, which waits for the
     * device: a prompt's few numbers at the start of a stage.
     */
    public void embedding(Tensor ids, Tensor table, boolean add, Tensor out) {
        CpuEmbedding.check(ids, table, out);
        CpuEmbedding.checkIds(ids == null ? IntUnaryOperator.identity() : onHost(ids), table, out);
        KernelArgs args = cuda.args().pointer(ids).rows(table).rows(out)
                .int32(out.rows()).int32(out.cols()).int32(add ? 1 : 0).align(8);
        launch.perRun(() -> "embedding from " + table, "embedding", out.rows(), out.cols(),
                RowLaunch.width(Math.max(table.rows(), out.rows()), out.cols(), table, out), args);
    }

    private IntUnaryOperator onHost(Tensor ids) {
        int[] values = new int[(int) ids.shape().size()];
        cuda.copyOut(ids.data().address(), MemorySegment.ofArray(values));
        return r -> values[r];
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
