package jdiffusion.kernels.cuda;

import java.nio.file.Path;
import java.util.function.Function;
import jdiffusion.kernels.Precision;

/**
 * How a {@link CudaBackend} is opened.
 *
 * @param ordinal   which device, from 0
 * @param label     what it is called in messages
 * @param precision BF16, F16 or FP8
 * @param kernels   folder of changed kernel sources; null for those that the program was built with
 * @param cublas    whether linear layers go through cuBLAS instead of our own kernels
 * @param cudnn     whether convolutions go through cuDNN
 * @param lastWords asked after a failure for what the device itself says of it, null if nothing; a real device says
 *                  nothing. Told where kernels come from
 */
public record CudaOptions(int ordinal, String label, Precision precision, Path kernels, boolean cublas, boolean cudnn,
                          Function<KernelPlaces, String> lastWords) {
    /** The first device, bfloat16, our own kernels. */
    public static CudaOptions defaults() {
        return new CudaOptions(0, "cuda", Precision.BF16, null, false, false, _ -> null);
    }

    public CudaOptions withOrdinal(int newOrdinal) {
        return new CudaOptions(newOrdinal, label, precision, kernels, cublas, cudnn, lastWords);
    }

    public CudaOptions withLabel(String newLabel) {
        return new CudaOptions(ordinal, newLabel, precision, kernels, cublas, cudnn, lastWords);
    }

    public CudaOptions withPrecision(Precision newPrecision) {
        return new CudaOptions(ordinal, label, newPrecision, kernels, cublas, cudnn, lastWords);
    }

    public CudaOptions withKernels(Path folder) {
        return new CudaOptions(ordinal, label, precision, folder, cublas, cudnn, lastWords);
    }

    public CudaOptions withLibraries(boolean gemmByCublas, boolean convByCudnn) {
        return new CudaOptions(ordinal, label, precision, kernels, gemmByCublas, convByCudnn, lastWords);
    }

    public CudaOptions withLastWords(Function<KernelPlaces, String> words) {
        return new CudaOptions(ordinal, label, precision, kernels, cublas, cudnn, words);
    }
}
