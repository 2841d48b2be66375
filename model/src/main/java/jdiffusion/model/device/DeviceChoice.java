package jdiffusion.model.device;

import java.nio.file.Path;

/**
 * Where to compute, and how, as a user says it; see {@link Devices#open}.
 *
 * @param device  auto, cpu, cuda, cuda:N or emulated; or two of cuda:N or emulated between commas
 * @param threads of the CPU; null for all cores
 * @param cpu     instructions of matrix products on the CPU: amx, avx512bf16, avx512, avx2 or vector; null for the
 *                first of these that it has
 * @param kernels folder of CUDA sources that take the place of the built-in ones of the same name; null for none
 * @param gemm    matrix products on cuda: own or cublas
 * @param conv    convolutions on cuda: own or cudnn
 * @param check   whether the emulated device looks for races and their like
 * @param profile whether the emulated device counts what each kernel does
 * @param seed    varies the order in which the emulated device runs warps
 * @param memory  bytes of the emulated device; null for its usual size
 * @param capability compute capability of the emulated device, 8.0, 8.9 or 9.0; null for 8.0
 */
public record DeviceChoice(String device, Integer threads, String cpu, Path kernels, String gemm, String conv,
                           boolean check, boolean profile, long seed, Long memory, String capability) {
    /** A device with everything else as usual. */
    public static DeviceChoice of(String device) {
        return new DeviceChoice(device, null, null, null, "own", "own", false, false, 0, null, null);
    }
}
