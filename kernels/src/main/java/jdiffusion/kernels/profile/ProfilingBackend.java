package jdiffusion.kernels.profile;

import java.util.ArrayList;
import java.util.List;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.Epilogue;
import jdiffusion.kernels.MemoryCount;
import jdiffusion.kernels.MemoryModel;
import jdiffusion.kernels.Precision;
import jdiffusion.kernels.Scope;
import jdiffusion.kernels.WorkClock;
import jdiffusion.kernels.WorkCount;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.kernels.conv2d.Conv2dShape;
import jdiffusion.kernels.groupnorm.GroupNormCall;
import jdiffusion.kernels.linear.LinearCall;
import jdiffusion.tensor.Placement;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Weight;
import jdiffusion.tensor.Workspace;

/**
 * Passes all operations on to another backend and records how long each took, by that backend's {@link Backend#clock
 * clock}: a device that queues its work goes on doing so.
 */
public final class ProfilingBackend implements Backend {
    private final Backend backend;
    private final Profile profile = new Profile();
    private final WorkClock clock;
    private final Scope closing;

    public ProfilingBackend(Backend backend) {
        this.backend = backend;
        this.clock = backend.clock();
        this.closing = this::closeScope;
    }

    /** The scope ends in any case, by the host's time where the device tells none any more. */
    private void closeScope() {
        long now = System.nanoTime();
        WorkClock.Mark at = () -> now;
        try {
            at = clock.mark();
        } finally {
            profile.close(at);
        }
    }

    public Profile profile() {
        return profile;
    }

    /** The backend that computes. */
    public Backend measured() {
        return backend;
    }

    private void measure(Operation operation, Runnable work) {
        WorkClock.Mark start = clock.mark();
        work.run();
        profile.add(operation, start, clock.mark());
    }

    @Override
    public Scope scope(String name, int index) {
        profile.open(name, index, clock.mark());
        return closing;
    }

    @Override
    public void finish() {
        backend.finish();
    }

    @Override
    public WorkClock clock() {
        return clock;
    }

    @Override
    public double measurePeak() {
        return backend.measurePeak();
    }

    @Override
    public String describe() {
        return backend.describe();
    }

    @Override
    public String arithmetic() {
        return backend.arithmetic();
    }

    @Override
    public Precision precision() {
        return backend.precision();
    }

    @Override
    public Workspace newWorkspace(long bytes) {
        return backend.newWorkspace(bytes);
    }

    @Override
    public Placement newPlacement(Placement.Size size) {
        return backend.newPlacement(size);
    }

    @Override
    public MemoryModel memoryModel() {
        return backend.memoryModel();
    }

    @Override
    public MemoryCount memory() {
        return backend.memory();
    }

    @Override
    public WorkCount work() {
        return backend.work();
    }

    @Override
    public void upload(float[] values, Tensor to) {
        measure(Operation.other("upload", to, to), () -> backend.upload(values, to));
    }

    @Override
    public void upload(int[] values, Tensor to) {
        measure(Operation.other("upload", to, to), () -> backend.upload(values, to));
    }

    @Override
    public void download(Tensor from, float[] to) {
        measure(Operation.other("download", from, from), () -> backend.download(from, to));
    }

    @Override
    public void linear(List<LinearCall> calls) {
        measure(Operation.linear(calls), () -> backend.linear(calls));
    }

    @Override
    public void gatedLinear(Tensor x, Weight w, Tensor bias, Activation activation, Tensor out) {
        measure(Operation.gatedLinear(x, w, bias, out), () -> backend.gatedLinear(x, w, bias, activation, out));
    }

    @Override
    public void attention(AttentionShape shape, List<AttentionStream> streams, Tensor relativeBias) {
        measure(Operation.attention(shape, streams, relativeBias),
                () -> backend.attention(shape, streams, relativeBias));
    }

    @Override
    public long lookAtAttention(AttentionShape shape, List<AttentionStream> streams, AttentionLook look) {
        WorkClock.Mark start = clock.mark();
        long again = backend.lookAtAttention(shape, streams, look);
        profile.add(Operation.lookAtAttention(shape, streams, look, again), start, clock.mark());
        return again;
    }

    @Override
    public boolean keepsOnTheWay(AttentionShape shape, AttentionLook look) {
        return backend.keepsOnTheWay(shape, look);
    }

    @Override
    public void layerNorm(Tensor x, Tensor weight, Tensor bias, Tensor scale, Tensor shift, float eps, Tensor out) {
        measure(Operation.other("layerNorm", out, x, weight, bias, scale, shift, out),
                () -> backend.layerNorm(x, weight, bias, scale, shift, eps, out));
    }

    @Override
    public void layerNormTwice(Tensor x, Tensor scale1, Tensor shift1, Tensor out1, Tensor scale2, Tensor shift2,
                               Tensor out2, float eps) {
        measure(Operation.other("layerNormTwice", out1, x, scale1, shift1, out1, scale2, shift2, out2),
                () -> backend.layerNormTwice(x, scale1, shift1, out1, scale2, shift2, out2, eps));
    }

    @Override
    public void modulate(Tensor x, Tensor scale, Tensor shift, Tensor out) {
        measure(Operation.other("modulate", out, x, scale, shift, out), () -> backend.modulate(x, scale, shift, out));
    }

    @Override
    public void rmsNorm(Tensor x, Tensor weight, float eps, Tensor out) {
        measure(Operation.other("rmsNorm", out, x, weight, out), () -> backend.rmsNorm(x, weight, eps, out));
    }

    @Override
    public void groupNorm(Tensor x, int groups, Tensor weight, Tensor bias, float eps, Activation activation,
                          Tensor out) {
        measure(Operation.other("groupNorm", out, x, weight, bias, out),
                () -> backend.groupNorm(x, groups, weight, bias, eps, activation, out));
    }

    @Override
    public void conv2d(Conv2dShape shape, Tensor x, Tensor weight, Tensor bias, Epilogue epilogue, Tensor out) {
        measure(Operation.conv2d(shape, x, weight, bias, epilogue, out),
                () -> backend.conv2d(shape, x, weight, bias, epilogue, out));
    }

    @Override
    public void normedConv2d(GroupNormCall norm, Conv2dShape shape, Tensor x, Tensor weight, Tensor bias,
                             Epilogue epilogue, Tensor out, Workspace workspace) {
        measure(Operation.normedConv2d(shape, x, weight, bias, epilogue, out),
                () -> backend.normedConv2d(norm, shape, x, weight, bias, epilogue, out, workspace));
    }

    @Override
    public void upsampledConv2d(Tensor x, Tensor weight, Tensor bias, Tensor out, Workspace workspace) {
        measure(Operation.upsampledConv2d(x, weight, bias, out),
                () -> backend.upsampledConv2d(x, weight, bias, out, workspace));
    }

    @Override
    public void upsampleNearest(Tensor x, Tensor out) {
        measure(Operation.other("upsampleNearest", out, x, out), () -> backend.upsampleNearest(x, out));
    }

    @Override
    public void patchify(Tensor x, int patch, Tensor out) {
        measure(Operation.other("patchify", out, x, out), () -> backend.patchify(x, patch, out));
    }

    @Override
    public void unpatchify(Tensor x, int patch, Tensor out) {
        measure(Operation.other("unpatchify", out, x, out), () -> backend.unpatchify(x, patch, out));
    }

    @Override
    public void channelsLast(Tensor x, Tensor out) {
        measure(Operation.other("channelsLast", out, x, out), () -> backend.channelsLast(x, out));
    }

    @Override
    public void channelsFirst(Tensor x, Tensor out) {
        measure(Operation.other("channelsFirst", out, x, out), () -> backend.channelsFirst(x, out));
    }

    @Override
    public void joinChannels(Tensor a, Tensor b, Tensor out) {
        measure(Operation.other("joinChannels", out, a, b, out), () -> backend.joinChannels(a, b, out));
    }

    @Override
    public void embedding(Tensor ids, Tensor table, boolean add, Tensor out) {
        long read = (long) out.rows() * table.cols() * table.type().bytes() + (ids == null ? 0 : ids.byteSize());
        measure(Operation.other("embedding", out, read + (add ? 2 : 1) * out.byteSize()),
                () -> backend.embedding(ids, table, add, out));
    }

    @Override
    public void timestepEmbedding(Tensor t, Tensor out) {
        measure(Operation.other("timestepEmbedding", out, t, out), () -> backend.timestepEmbedding(t, out));
    }

    @Override
    public void activate(Activation activation, Tensor x, Tensor out) {
        measure(Operation.other("activate", out, x, out), () -> backend.activate(activation, x, out));
    }

    @Override
    public void gatedActivate(Activation activation, Tensor x, Tensor y, Tensor out) {
        measure(Operation.other("gatedActivate", out, x, y, out), () -> backend.gatedActivate(activation, x, y, out));
    }

    @Override
    public void combine(float[] factors, List<Tensor> terms, Tensor out) {
        List<Tensor> touched = new ArrayList<>(terms);
        touched.add(out);
        measure(Operation.other("combine", out, touched.toArray(Tensor[]::new)),
                () -> backend.combine(factors, terms, out));
    }

    @Override
    public void blend(Tensor mask, Tensor a, Tensor b, Tensor out) {
        measure(Operation.other("blend", out, mask, a, b, out), () -> backend.blend(mask, a, b, out));
    }

    @Override
    public void close() {
        backend.close();
    }
}
