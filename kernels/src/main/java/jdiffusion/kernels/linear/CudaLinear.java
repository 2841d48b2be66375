package jdiffusion.kernels.linear;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import jdiffusion.kernels.DeviceException;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.cuda.Cuda;
import jdiffusion.kernels.cuda.KernelArgs;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;

/**
 * Linear layers on a CUDA device: products on tensor cores, in bfloat16 or float16. Layers that are run together
 * and read their operands the same way are one launch.
 */
public final class CudaLinear {
    private static final String FILE = "linear/linear";

    private final Cuda cuda;
    private final CudaNf4 fourBit;

    public CudaLinear(Cuda cuda) {
        this.cuda = cuda;
        fourBit = new CudaNf4(cuda);
    }

    /** See {@link jdiffusion.kernels.Backend#linear(List)}. */
    public void run(List<LinearCall> calls) {
        List<LinearCall> inFourBits = new ArrayList<>();
        Map<String, List<LinearCall>> dense = new LinkedHashMap<>();
        for (LinearCall call : calls) {
            split(call, inFourBits, dense);
        }
        if (!inFourBits.isEmpty()) {
            fourBit.run(inFourBits);
        }
        dense.forEach((kernel, together) -> {
            for (int i = 0; i < together.size(); i += GemmArgs.MOST_PROBLEMS) {
                launch(kernel, together.subList(i, Math.min(i + GemmArgs.MOST_PROBLEMS, together.size())));
            }
        });
    }

    /** Sorts a layer, or each part of a joined weight with its columns of out, by the kernel that it needs. */
    private void split(LinearCall call, List<LinearCall> inFourBits, Map<String, List<LinearCall>> dense) {
        if (call.m() == 0 || call.n() == 0) {
            return;
        }
        switch (call.w()) {
            case Weight.Dense(Tensor w) -> dense.computeIfAbsent(kernel(call.x(), w), _ -> new ArrayList<>()).add(call);
            case Weight.FourBit _ -> inFourBits.add(call);
            case Weight.Scaled _, Weight.Blocks _, Weight.Adapted _ ->
                throw new DeviceException("cuda: " + call + ": a weight stored as " + call.w().getClass().getSimpleName());
            case Weight.Rows joined -> {
                int from = 0;
                for (Weight part : joined.parts()) {
                    split(columns(call, part, from, from + part.rows()), inFourBits, dense);
                    from += part.rows();
                }
            }
        }
    }

    private static LinearCall columns(LinearCall call, Weight part, int from, int to) {
        Epilogue whole = call.epilogue();
        Epilogue epilogue = whole.gate() == null ? whole
                : new Epilogue(whole.activation(), whole.mode(), whole.gate().columns(from, to));
        Tensor bias = call.bias() == null ? null : call.bias().columns(from, to);
        return new LinearCall(call.x(), part, bias, epilogue, call.out().columns(from, to));
    }

    /** The name of a kernel but for its tile. */
    private String kernel(Tensor x, Tensor w) {
        DType type = GemmArgs.productType(cuda, x);
        return "linear_" + type.name().toLowerCase(Locale.ROOT) + (GemmArgs.isDirect(x, type) ? "" : "_x")
                + (GemmArgs.isDirect(w, type) ? "" : "_w");
    }

    private void launch(String kernel, List<LinearCall> calls) {
        GemmTile tile = tile(kernel, calls);
        KernelArgs args = cuda.args();
        int blocks = 0;
        for (LinearCall call : calls) {
            GemmArgs.rows(args, call.x());
            GemmArgs.rows(args, ((Weight.Dense) call.w()).tensor());
            GemmArgs.output(args, call, blocks);
            blocks += tile.blocks(call.m(), call.n());
        }
        GemmArgs.rest(args, calls.size());
        cuda.kernel(FILE, kernel + "_" + tile.name().toLowerCase(Locale.ROOT))
                .launch(calls::toString, blocks, 1, 1, tile.threads(), 0, args);
    }

    private static GemmTile tile(String kernel, List<LinearCall> calls) {
        if (kernel.contains("_x")) {
            return GemmTile.SMALL;
        }
        int large = 0;
        int small = 0;
        for (LinearCall call : calls) {
            large += GemmTile.LARGE.blocks(call.m(), call.n());
            small += GemmTile.SMALL.blocks(call.m(), call.n());
        }
        return GemmTile.choose(large, small);
    }
}
