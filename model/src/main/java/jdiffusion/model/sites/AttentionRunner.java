package jdiffusion.model.sites;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.TreeSet;
import java.util.stream.IntStream;
import jdiffusion.kernels.Activation;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.attention.AttentionLook;
import jdiffusion.kernels.attention.AttentionShape;
import jdiffusion.kernels.attention.AttentionStream;
import jdiffusion.tensor.DType;
import jdiffusion.tensor.Shape;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.Workspace;

/**
 * Attentions that are looked at, or whose keys are masked, on one backend. What is kept of them is linear in tokens; its
 * memory is taken once and grows to what the largest needs.
 */
final class AttentionRunner implements AutoCloseable {
    /** Of what a tensor takes more than its numbers. */
    private static final long SLACK = 512;

    private final Backend backend;
    private final Sites sites;
    private final Recording recording;
    private Workspace room;
    private long roomBytes;

    AttentionRunner(Backend backend, Sites sites, Recording recording) {
        this.backend = backend;
        this.sites = sites;
        this.recording = recording;
    }

    @Override
    public void close() {
        if (room != null) {
            room.close();
            room = null;
            roomBytes = 0;
        }
    }

    /** @param here at least one, all for this attention and step */
    void run(Attention attention, AttentionShape shape, List<AttentionStream> streams, List<AttentionBinding> here,
             List<Entry> entries, int step) {
        List<AttentionBinding> masks = here.stream().filter(b -> b.experiment instanceof Intervene).toList();
        List<AttentionBinding> looks = here.stream().filter(b -> b.experiment instanceof Attend).toList();
        if (!masks.isEmpty()) {
            masked(attention, shape, streams, masks, entries);
        } else {
            looked(attention, shape, streams, looks, entries, step);
        }
    }

    private Workspace room(long numbers, int tensors) {
        long bytes = numbers * Float.BYTES + tensors * SLACK;
        if (bytes > roomBytes) {
            backend.finish();
            close();
            room = backend.newWorkspace(bytes);
            roomBytes = bytes;
        }
        return room;
    }

    private static long numbers(Attention a, int batch, int columns, boolean mass) {
        long queries = (long) batch * a.heads() * a.queryCount();
        return queries * (1 + columns + (mass ? 1 : 0)) + columns
                + (mass ? (long) batch * a.heads() * a.keyCount() : 0) + width(a) * batch * a.queryCount();
    }

    private static long width(Attention a) {
        return (long) a.heads() * a.headDim();
    }

    private void looked(Attention a, AttentionShape shape, List<AttentionStream> streams, List<AttentionBinding> looks,
                        List<Entry> entries, int step) {
        TreeSet<Integer> keys = new TreeSet<>();
        boolean mass = false;
        boolean any = false;
        for (AttentionBinding look : looks) {
            for (Entry entry : entries) {
                List<AttentionBinding.Group> groups = look.of(a.name(), entry);
                if (groups != null) {
                    any = true;
                    mass |= ((Attend) look.experiment).top() > 0;
                    groups.forEach(group -> IntStream.of(group.keys()).forEach(keys::add));
                }
            }
        }
        if (!any) {
            backend.attention(shape, streams, null);
            return;
        }
        int[] chosen = keys.stream().mapToInt(Integer::intValue).toArray();
        Workspace w = room(numbers(a, shape.batch(), chosen.length, mass), 16);
        try (var _ = w.scope()) {
            long[] laps = new long[3];
            int[] at = new int[1];
            AttentionLook look = look(w, a, shape.batch(), chosen, mass, () -> laps[at[0]++] = System.nanoTime());
            List<Tensor[]> copied = new ArrayList<>();
            List<AttentionStream> apart = new ArrayList<>();
            boolean onTheWay = backend.keepsOnTheWay(shape, look);
            for (AttentionStream s : streams) {
                if (onTheWay || s.q() == null || s.q().data().address() != s.out().data().address()) {
                    apart.add(s);
                    continue;
                }
                Tensor out = w.allocate(s.out().type(), s.out().shape().dims());
                copied.add(new Tensor[] {out, s.out()});
                apart.add(new AttentionStream(s.q(), s.k(), s.v(), out, s.qNorm(), s.kNorm(), s.rotary(),
                        s.keyCounts()));
            }
            backend.finish();
            long start = System.nanoTime();
            long again = backend.lookAtAttention(shape, apart, look);
            backend.finish();
            laps[2] = System.nanoTime();
            recording.spent(laps[0] - start, laps[1] - laps[0], laps[2] - laps[1], again);
            copied.forEach(pair -> backend.activate(Activation.NONE, pair[0], pair[1]));
            Kept kept = new Kept(a, chosen, chosen.length == 0 ? null : backend.download(look.columns()),
                    mass ? backend.download(look.mass()) : null, mass ? backend.download(look.entropy()) : null);
            for (AttentionBinding binding : looks) {
                for (int e = 0; e < entries.size(); e++) {
                    List<AttentionBinding.Group> groups = binding.of(a.name(), entries.get(e));
                    if (groups != null) {
                        keep(kept, binding, groups, e, name(a, step, entries.get(e)));
                    }
                }
            }
        }
    }

    private AttentionLook look(Workspace w, Attention a, int batch, int[] chosen, boolean mass, Runnable lap) {
        Tensor keys = null;
        if (chosen.length > 0) {
            keys = w.allocate(DType.I32, chosen.length);
            backend.upload(chosen, keys);
        }
        return new AttentionLook(w.f32(batch, a.heads(), a.queryCount()), keys,
                chosen.length == 0 ? null : w.f32(batch, a.heads(), chosen.length, a.queryCount()),
                mass ? w.f32(batch, a.heads(), a.keyCount()) : null,
                mass ? w.f32(batch, a.heads(), a.queryCount()) : null, lap);
    }

    private String name(Attention a, int step, Entry entry) {
        return (sites.request().images() > 1 ? "image." + entry.image() + "/" : "")
                + String.format(Locale.ROOT, "step.%03d/", step) + entry.branch().label() + "/" + a.name() + "/";
    }

    /** What came of an attention for all of a batch, on the host. */
    private record Kept(Attention attention, int[] keys, float[] columns, float[] mass, float[] entropy) {
    }

    private void keep(Kept kept, AttentionBinding binding, List<AttentionBinding.Group> groups, int entry,
                      String name) {
        Attention a = kept.attention;
        int[] heads = binding.heads(a);
        int[] image = a.imageQueries(AttentionBinding.joined(sites));
        int queries = a.queryCount();
        for (AttentionBinding.Group group : groups) {
            float[] map = new float[image[1] - image[0]];
            float[] shares = new float[heads.length];
            for (int h = 0; h < heads.length; h++) {
                double share = 0;
                for (int key : group.keys()) {
                    int column = Arrays.binarySearch(kept.keys, key);
                    int at = ((entry * a.heads() + heads[h]) * kept.keys.length + column) * queries + image[0];
                    for (int i = 0; i < map.length; i++) {
                        map[i] += kept.columns[at + i] / heads.length;
                        share += kept.columns[at + i];
                    }
                }
                shares[h] = (float) (share / map.length);
            }
            recording.put(name + group.label(), Shape.of(map.length), map);
            recording.put(name + group.label() + ".heads", Shape.of(shares.length), shares);
        }
        int top = ((Attend) binding.experiment).top();
        if (top > 0) {
            float[] mass = mean(kept.mass, a, entry, heads, a.keyCount());
            recording.put(name + "mass", Shape.of(mass.length), mass);
            recording.put(name + "entropy", Shape.of(queries), mean(kept.entropy, a, entry, heads, queries));
            int[] most = most(mass, Math.min(top, mass.length));
            float[] table = new float[2 * most.length];
            for (int i = 0; i < most.length; i++) {
                table[2 * i] = most[i];
                table[2 * i + 1] = mass[most[i]];
            }
            recording.put(name + "top", Shape.of(most.length, 2), table);
        }
    }

    private static float[] mean(float[] values, Attention a, int entry, int[] heads, int n) {
        float[] mean = new float[n];
        for (int head : heads) {
            int at = (entry * a.heads() + head) * n;
            for (int i = 0; i < n; i++) {
                mean[i] += values[at + i] / heads.length;
            }
        }
        return mean;
    }

    /** The keys of most mass, the first of equal ones first. */
    private static int[] most(float[] mass, int count) {
        return IntStream.range(0, mass.length).boxed().sorted((i, j) -> Float.compare(mass[j], mass[i])).limit(count)
                .mapToInt(Integer::intValue).toArray();
    }

    private void masked(Attention a, AttentionShape shape, List<AttentionStream> streams, List<AttentionBinding> masks,
                        List<Entry> entries) {
        int top = masks.stream().mapToInt(m -> ((Edit.MaskKeys) ((Intervene) m.experiment).edit()).top()).max()
                .orElse(0);
        float[] mass = top == 0 ? null : mass(a, shape, streams);
        AttentionShape one = new AttentionShape(1, shape.heads(), shape.headDim(), shape.scale(), shape.causal(),
                shape.norm(), shape.normEps());
        int[] all = IntStream.range(0, a.heads()).toArray();
        for (int e = 0; e < entries.size(); e++) {
            TreeSet<Integer> score = new TreeSet<>();
            TreeSet<Integer> value = new TreeSet<>();
            boolean meant = false;
            for (AttentionBinding mask : masks) {
                List<AttentionBinding.Group> groups = mask.of(a.name(), entries.get(e));
                if (groups != null) {
                    meant = true;
                    Edit.MaskKeys edit = (Edit.MaskKeys) ((Intervene) mask.experiment).edit();
                    int[] keys = edit.top() == 0 ? groups.getFirst().keys()
                            : most(mean(mass, a, e, all, a.keyCount()), edit.top());
                    IntStream.of(keys).forEach((edit.path() == Edit.MaskKeys.Path.SCORE ? score : value)::add);
                }
            }
            List<AttentionStream> sequence = new ArrayList<>();
            for (AttentionStream s : streams) {
                sequence.add(slice(s, e));
            }
            if (meant) {
                maskedSequence(a, one, sequence, score, value);
            } else {
                backend.attention(one, sequence, null);
            }
        }
    }

    /** Each key's mass, of copies of all that the attention reads, since a device may write over q and k. */
    private float[] mass(Attention a, AttentionShape shape, List<AttentionStream> streams) {
        Workspace w = room(numbers(a, shape.batch(), 0, true)
                + 2 * width(a) * shape.batch() * (a.queryCount() + a.keyCount()), 32);
        try (var _ = w.scope()) {
            List<AttentionStream> copies = new ArrayList<>();
            for (AttentionStream s : streams) {
                copies.add(new AttentionStream(copy(w, s.q()), copy(w, s.k()), s.v(),
                        s.out() == null ? null : w.allocate(s.out().type(), s.out().shape().dims()), s.qNorm(),
                        s.kNorm(), s.rotary(), s.keyCounts()));
            }
            AttentionLook look = look(w, a, shape.batch(), new int[0], true, null);
            backend.lookAtAttention(shape, copies, look);
            return backend.download(look.mass());
        }
    }

    private Tensor copy(Workspace w, Tensor fromOrNull) {
        if (fromOrNull == null) {
            return null;
        }
        Tensor to = w.allocate(fromOrNull.type(), fromOrNull.shape().dims());
        backend.activate(Activation.NONE, fromOrNull, to);
        return to;
    }

    private static AttentionStream slice(AttentionStream s, int e) {
        return new AttentionStream(slice(s.q(), e), slice(s.k(), e), slice(s.v(), e), slice(s.out(), e), s.qNorm(),
                s.kNorm(), s.rotary(), slice(s.keyCounts(), e));
    }

    private static Tensor slice(Tensor tensorOrNull, int e) {
        return tensorOrNull == null ? null : tensorOrNull.slice(e, e + 1);
    }

    /**
     * Attention of one sequence without some keys, or with zeros for their values. Keys that are left move together and
     * keep their order; so where none is masked, the same numbers meet in the same order, and give the same bits.
     */
    private void maskedSequence(Attention a, AttentionShape shape, List<AttentionStream> streams,
                                TreeSet<Integer> score, TreeSet<Integer> value) {
        Workspace w = room(width(a) * (2L * a.keyCount() + streams.size()) + (long) a.headDim() * a.keyCount()
                + 6L * a.keyCount() + 64, 48);
        try (var _ = w.scope()) {
            List<AttentionStream> changed = new ArrayList<>();
            int first = 0;
            for (AttentionStream s : streams) {
                if (s.k() == null) {
                    changed.add(s);
                    continue;
                }
                int start = first;
                int n = s.keys();
                first += n;
                int exist = s.keyCounts() == null ? n : count(w, s);
                int[] left = IntStream.range(0, exist).filter(token -> !score.contains(start + token)).toArray();
                // Behind the last there are no keys, whatever stands there.
                Tensor rows = w.allocate(DType.I32, n);
                backend.upload(Arrays.copyOf(left, n), rows);
                Tensor k = moved(w, s.k(), rows, List.of());
                Tensor v = moved(w, s.v(), rows, ranges(left, value, start));
                Tensor counts = w.allocate(DType.I32, 1);
                backend.upload(new int[] {left.length}, counts);
                if (s.rotary() == null) {
                    changed.add(new AttentionStream(s.q(), k, v, s.out(), s.qNorm(), s.kNorm(), null, counts));
                } else {
                    if (s.q() != null) {
                        changed.add(AttentionStream.asking(s.q(), s.out()).withNorms(s.qNorm(), null)
                                .withRotary(s.rotary()));
                    }
                    changed.add(AttentionStream.asked(k, v).withNorms(null, s.kNorm())
                            .withRotary(moved(w, s.rotary(), rows, List.of())).withKeyCounts(counts));
                }
            }
            backend.attention(shape, changed, null);
            backend.finish();
        }
    }

    /**
     * Rows of [n, width] or [1, n, width] by their numbers, moved on the device: an embedding whose table they are. The
     * same rows in the same order are the same bits.
     *
     * @param rows  I32 [n]
     * @param zeros ranges of rows, [first, end), that become zero
     */
    private Tensor moved(Workspace w, Tensor from, Tensor rows, List<int[]> zeros) {
        Tensor to = w.allocate(from.type(), from.shape().dims());
        boolean batched = from.shape().rank() > 2;
        Tensor table = batched ? from.at(0) : from;
        Tensor out = batched ? to.at(0) : to;
        backend.embedding(rows, table, false, out);
        if (!zeros.isEmpty()) {
            Tensor zero = w.f32(1, from.cols());
            backend.upload(new float[from.cols()], zero);
            Tensor first = w.allocate(DType.I32, rows.shape().dim(0));
            backend.upload(new int[rows.shape().dim(0)], first);
            for (int[] range : zeros) {
                backend.embedding(first.slice(0, range[1] - range[0]), zero, false, out.slice(range[0], range[1]));
            }
        }
        return to;
    }

    /** Ranges [first, end) of places in {@code left} whose keys, counted from {@code start}, are among {@code keys}. */
    private static List<int[]> ranges(int[] left, TreeSet<Integer> keys, int start) {
        List<int[]> ranges = new ArrayList<>();
        for (int i = 0; i < left.length; i++) {
            if (keys.contains(start + left[i])) {
                if (!ranges.isEmpty() && ranges.getLast()[1] == i) {
                    ranges.getLast()[1]++;
                } else {
                    ranges.add(new int[] {i, i + 1});
                }
            }
        }
        return ranges;
    }

    /** How many keys of a sequence exist: a device tells by looking the number up in a table of all numbers. */
    private int count(Workspace w, AttentionStream s) {
        float[] numbers = new float[s.keys() + 1];
        for (int i = 0; i < numbers.length; i++) {
            numbers[i] = i;
        }
        Tensor table = w.f32(numbers.length, 1);
        backend.upload(numbers, table);
        Tensor number = w.f32(1, 1);
        backend.embedding(s.keyCounts(), table, false, number);
        return (int) backend.download(number)[0];
    }
}
