package jdiffusion.kernels.elementwise;

import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Operands;
import jdiffusion.kernels.cpu.Cpu;
import jdiffusion.kernels.cpu.Cpu.Buffer;
import jdiffusion.kernels.cpu.Elements;
import jdiffusion.kernels.cpu.Pointwise;
import jdiffusion.tensor.Tensor;

/**
 * The operations on equal shapes. Elements are taken in runs that fit the innermost cache, all inputs of a run before
 * its output, so out may be any input.
 */
public final class CpuElementwise {
    private static final int RUN = 4096;
    static final int MOST_TERMS = 4;

    private final Cpu cpu;

    public CpuElementwise(Cpu cpu) {
        this.cpu = cpu;
    }

    /** See {@link jdiffusion.kernels.Backend#activate}. */
    public void activate(Activation activation, Tensor x, Tensor out) {
        Operands.float32OrBf16("activate", x, out);
        Operands.equalShapes("activate", x, out);
        long size = x.shape().size();
        cpu.workers().run(runs(size), (item, worker) -> {
            long first = (long) item * RUN;
            int n = (int) Math.min(RUN, size - first);
            float[] v = cpu.local(worker, Buffer.ROW, RUN);
            Elements.read(x, first, n, v, 0);
            Pointwise.activate(activation, v, 0, n);
            Elements.write(v, 0, out, first, n);
        });
    }

    /** See {@link jdiffusion.kernels.Backend#gatedActivate}. */
    public void gatedActivate(Activation activation, Tensor x, Tensor y, Tensor out) {
        Operands.float32OrBf16("gatedActivate", x, y, out);
        checkGated(x, y, out);
        long size = x.shape().size();
        cpu.workers().run(runs(size), (item, worker) -> {
            long first = (long) item * RUN;
            int n = (int) Math.min(RUN, size - first);
            float[] v = cpu.local(worker, Buffer.ROW, RUN);
            float[] factors = cpu.local(worker, Buffer.TILE, RUN);
            Elements.read(x, first, n, v, 0);
            Elements.read(y, first, n, factors, 0);
            Pointwise.activate(activation, v, 0, n);
            multiply(v, factors, n);
            Elements.write(v, 0, out, first, n);
        });
    }

    /** See {@link jdiffusion.kernels.Backend#combine}; terms are added in their order. */
    public void combine(float[] factors, List<Tensor> terms, Tensor out) {
        checkCombine(factors, terms, out);
        long size = out.shape().size();
        cpu.workers().run(runs(size), (item, worker) -> {
            long first = (long) item * RUN;
            int n = (int) Math.min(RUN, size - first);
            float[] sum = cpu.local(worker, Buffer.SUMS, RUN);
            float[] term = cpu.local(worker, Buffer.ROW, RUN);
            Elements.read(terms.get(0), first, n, sum, 0);
            scale(sum, factors[0], n);
            for (int i = 1; i < terms.size(); i++) {
                Elements.read(terms.get(i), first, n, term, 0);
                addScaled(sum, factors[i], term, n);
            }
            Elements.write(sum, 0, out, first, n);
        });
    }

    /** See {@link jdiffusion.kernels.Backend#blend}. */
    public void blend(Tensor mask, Tensor a, Tensor b, Tensor out) {
        checkBlend(mask, a, b, out);
        long size = out.shape().size();
        cpu.workers().run(runs(size), (item, worker) -> {
            long first = (long) item * RUN;
            int n = (int) Math.min(RUN, size - first);
            float[] m = cpu.local(worker, Buffer.TILE, RUN);
            float[] v = cpu.local(worker, Buffer.ROW, RUN);
            float[] w = cpu.local(worker, Buffer.SUMS, RUN);
            Elements.read(mask, first, n, m, 0);
            Elements.read(a, first, n, v, 0);
            Elements.read(b, first, n, w, 0);
            mix(m, v, w, n);
            Elements.write(v, 0, out, first, n);
        });
    }

    static void checkGated(Tensor x, Tensor y, Tensor out) {
        Operands.equalShapes("gatedActivate", x, y);
        Operands.equalShapes("gatedActivate", x, out);
    }

    static void checkCombine(float[] factors, List<Tensor> terms, Tensor out) {
        if (terms.isEmpty() || terms.size() > MOST_TERMS || terms.size() != factors.length) {
            throw new IllegalArgumentException("combine needs one to four terms and a factor for each, got "
                    + terms.size() + " terms and " + factors.length + " factors");
        }
        Operands.float32("combine", out);
        for (int i = 0; i < terms.size(); i++) {
            Operands.float32("combine", terms.get(i));
            Operands.equalShapes("combine", terms.get(i), out);
        }
    }

    static void checkBlend(Tensor mask, Tensor a, Tensor b, Tensor out) {
        Operands.float32("blend", mask, a, b, out);
        Operands.equalShapes("blend", mask, a);
        Operands.equalShapes("blend", mask, b);
        Operands.equalShapes("blend", mask, out);
    }

    private static int runs(long size) {
        return Math.toIntExact(Math.ceilDiv(size, (long) RUN));
    }

    private static void scale(float[] v, float factor, int n) {
        for (int i = 0; i < n; i++) {
            v[i] *= factor;
        }
    }

    private static void addScaled(float[] sum, float factor, float[] term, int n) {
        for (int i = 0; i < n; i++) {
            sum[i] += factor * term[i];
        }
    }

    private static void multiply(float[] v, float[] factors, int n) {
        for (int i = 0; i < n; i++) {
            v[i] *= factors[i];
        }
    }

    private static void mix(float[] mask, float[] a, float[] b, int n) {
        for (int i = 0; i < n; i++) {
            a[i] = mask[i] * a[i] + (1 - mask[i]) * b[i];
        }
    }
}
