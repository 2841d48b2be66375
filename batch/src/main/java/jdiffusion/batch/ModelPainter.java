package jdiffusion.batch;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Supplier;
import jdiffusion.kernels.Backend;
import jdiffusion.kernels.DeviceException;
import jdiffusion.model.JsonTree;
import jdiffusion.model.adapter.AdaptedFiles;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.adapter.LoraTags;
import jdiffusion.model.family.Conditioning;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.family.Progress;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.pipeline.BatchKey;
import jdiffusion.model.pipeline.Pipeline;
import jdiffusion.model.request.ControlChoice;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;
import jdiffusion.model.request.LoraRecord;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.PictureText;
import jdiffusion.model.request.RequestMaker;
import jdiffusion.model.sampling.Sigmas;
import jdiffusion.model.settings.Infotext;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.tensor.InputException;

/**
 * Draws rows with models on a device. The model of the last picture stays; rows that are alike in all but their texts
 * and seeds are denoised together, which changes no byte of theirs.
 */
public final class ModelPainter implements Painter {
    private static final int DIGITS = 32;
    /** Pixels of pictures that are denoised together unless the user says otherwise. */
    private static final long PIXELS_TOGETHER = 4 * 256 * 256;
    private static final int MOST_TOGETHER = 4;
    /** Models with LoRAs and ControlNets that are remembered, without their weights. */
    private static final int MOST_STANDS = 16;

    private final PainterSettings settings;
    private final RowReader reader;
    private final Fingerprints fingerprints;
    private final Backend backend;
    private final Consumer<String> notes;
    private final Map<Key, Stand> stands = new LinkedHashMap<>(MOST_STANDS, 0.75f, true);
    private Stand active;

    /** What a model is opened for. */
    private record Key(String model, List<Lora> loras, ControlChoice control) {
        /** The net alone: the picture and the strengths are a request's. */
        static ControlChoice net(ControlChoice choice) {
            return choice.net() == null ? ControlChoice.NONE
                    : new ControlChoice(choice.net(), null, choice.kind(), null, null, null);
        }
    }

    /** A picture with all that it is drawn with. */
    private record Settled(Stand stand, GenerationRequest request, String text, int tile, String name, String ending)
            implements Planned {
        @Override
        public String prompt() {
            return request.prompt();
        }

        @Override
        public long seed() {
            return request.seed();
        }

        @Override
        public int width() {
            return request.finalSize().width();
        }

        @Override
        public int height() {
            return request.finalSize().height();
        }
    }

    /** A picture whose text is encoded. */
    private record Encoded(Settled picture, List<Conditioning> prompts, long nanos) {
    }

    /**
     * @param backend the device; whoever opened it closes it, after this
     * @param notes   told what the user should know, each line once
     */
    public ModelPainter(PainterSettings settings, RowReader reader, Fingerprints fingerprints, Backend backend,
                        Consumer<String> notes) {
        this.settings = settings;
        this.reader = reader;
        this.fingerprints = fingerprints;
        this.backend = backend;
        this.notes = notes;
    }

    @Override
    public String device() {
        return backend.describe();
    }

    @Override
    public int images(Row row) {
        return reader.images(row);
    }

    @Override
    public Planned plan(Row row, int image) {
        RowReader.Asked given = reader.read(row, image);
        PictureFields asked = given.fields();
        List<Lora> loras = new ArrayList<>(settings.loras());
        loras.addAll(given.loras());
        loras.addAll(LoraTags.loras(asked.prompt, asked.negativePrompt, settings.loraDir()));
        Stand stand = stand(new Key(asked.model, List.copyOf(loras), Key.net(given.control())));
        ControlInput control = stand.control(given.control());
        Pipeline pipeline = stand.opened;
        GenerationRequest usual = settings.usual().of(pipeline.request(LoraTags.without(asked.prompt)),
                pipeline.family());
        GenerationRequest plain = RequestMaker.settings(asked, usual, pipeline.sizes(usual), notes);
        GenerationRequest request = pipeline.fitted(control.addTo(RequestMaker.pictures(asked,
                RequestMaker.secondPass(asked, plain, pipeline.patch(), notes))));
        pipeline.check(request);
        pipeline.notes(request).forEach(notes);
        asked.notes.forEach(notes);
        int tile = stand.tile(request);
        Map<String, String> more = new LinkedHashMap<>(settings.more());
        settings.memory().describe(tile, more);
        List<String> options = new ArrayList<>(settings.given());
        options.addAll(given.given());
        LoraRecord record = new LoraRecord(asked.prompt, options, stand.hashes,
                LoraRecord.of(asked.prompt, List.of(), List.of(), pipeline.files().embeddings().used(request.texts())
                        .values()).inversions());
        String text = new PictureText(pipeline.files(), stand.name, backend.precision(), new InputPictures(asked.init,
                asked.mask, asked.inpaint.settings()), record, control, settings.taesd(), more, settings.version())
                .of(request).text();
        return new Settled(stand, request, text, tile, name(stand, request, text, tile), settings.format().ending());
    }

    /** The hash of everything that fixes the bytes of a picture's file. */
    private String name(Stand stand, GenerationRequest request, String text, int tile) {
        ObjectNode all = JsonTree.object();
        all.set("request", Canonical.json(request));
        Sigmas sigmas = stand.opened.sigmas(request);
        all.set("levels", Canonical.json(List.of(sigmas.toArray(), sigmas.timesteps(), sigmas.startFactor())));
        all.put("text", text).put("model", stand.fingerprint).put("arithmetic", backend.arithmetic())
                .put("tile", tile).put("quality", settings.format().quality()).put("version", settings.version());
        return Canonical.sha256(all).substring(0, DIGITS);
    }

    private Stand stand(Key key) {
        Stand stand = stands.get(key);
        if (stand == null) {
            // What is free of the device's memory decides on what stays there, and on tiles.
            letGo();
            stand = new Stand(key);
            stands.put(key, stand);
            if (stands.size() > MOST_STANDS) {
                // Pictures that are planned with it still have it.
                stands.remove(stands.keySet().iterator().next());
            }
        }
        return stand;
    }

    /** A model that is opened, with LoRAs and a ControlNet; its weights are there while it is the active one. */
    private final class Stand {
        private final String name;
        private final ControlInput control;
        private final Pipeline opened;
        private final String fingerprint;
        private final Map<String, String> hashes;
        private final Map<PixelSize, Integer> tiles = new LinkedHashMap<>();
        private Pipeline kept;

        Stand(Key key) {
            BatchModels.Model model = settings.models().open(key.model);
            this.name = model.name();
            this.control = key.control.net() == null ? ControlInput.none(AdaptedFiles.of(model.files(), key.loras))
                    : ControlInput.of(AdaptedFiles.of(model.files(), key.loras), (Picture) null, key.control);
            control.files().notes().forEach(notes);
            this.opened = settings.taesd().addTo(Pipeline.open(control.files(), backend));
            this.fingerprint = fingerprints.of(control.files()) + (settings.taesd().file() == null ? ""
                    : " " + fingerprints.of(settings.taesd().file().decoder()));
            this.hashes = LoraRecord.of("", List.of(), key.loras, List.of()).hashes();
        }

        ControlInput control(ControlChoice choice) {
            if (choice.net() == null) {
                return choice.picture() == null ? ControlInput.none(control.files())
                        : ControlInput.of(control.files(), List.of(), choice);
            }
            if (choice.picture() == null) {
                throw new InputException("control_net needs a picture to read; give control_image");
            }
            return new ControlInput(control.files(), control.kind(), PictureFile.read(choice.picture()), choice);
        }

        /** The pipeline with what stays in memory settled, which the first request decides. */
        Pipeline kept(GenerationRequest request) {
            if (kept == null) {
                kept = settings.memory().keep(opened, request, backend, notes);
            }
            return kept;
        }

        /** Side of the tiles on which pictures of a request are decoded; 0 for none. */
        int tile(GenerationRequest request) {
            Pipeline pipeline = kept(request);
            return tiles.computeIfAbsent(request.finalSize(), _ -> pipeline.plan(request, false).stages().stream()
                    .filter(stage -> stage.name().endsWith("decode")).mapToInt(stage -> stage.tile()).max().orElse(0));
        }
    }

    @Override
    public void draw(List<Planned> pictures, Sink sink) {
        Map<Stand, List<Settled>> byModel = new LinkedHashMap<>();
        for (Planned picture : pictures) {
            Settled settled = (Settled) picture;
            byModel.computeIfAbsent(settled.stand, _ -> new ArrayList<>()).add(settled);
        }
        Counting counting = new Counting(sink);
        byModel.forEach((stand, some) -> draw(stand, some, counting));
    }

    private void draw(Stand stand, List<Settled> pictures, Counting sink) {
        if (active != stand) {
            letGo();
            active = stand;
        }
        Map<BatchKey, List<Settled>> groups = new LinkedHashMap<>();
        for (Settled picture : pictures) {
            BatchKey key = stand.opened.batchKey(picture.request);
            if (key == null) {
                attempt(List.of(picture), sink, () -> drawAll(stand, List.of(encoded(stand, picture)), sink));
            } else {
                groups.computeIfAbsent(key, _ -> new ArrayList<>()).add(picture);
            }
        }
        groups.values().forEach(group -> attempt(group, sink, () -> together(stand, group, sink)));
    }

    /** Knows which pictures are done, so that none is drawn twice when others fail. */
    private static final class Counting implements Sink {
        private final Sink sink;
        private final Set<String> done = new HashSet<>();

        Counting(Sink sink) {
            this.sink = sink;
        }

        @Override
        public void drawn(Planned picture, Supplier<byte[]> file, long nanos) {
            done.add(picture.name());
            sink.drawn(picture, file, nanos);
        }

        @Override
        public void failed(Planned picture, String why) {
            done.add(picture.name());
            sink.failed(picture, why);
        }
    }

    /** Does something with several pictures, and where that fails with each alone. */
    private void attempt(List<Settled> pictures, Counting sink, Runnable work) {
        try {
            work.run();
        } catch (DeviceException e) {
            throw e;
        } catch (InputException | OutOfMemoryError | ArithmeticException | IllegalArgumentException e) {
            List<Settled> open = pictures.stream().filter(one -> !sink.done.contains(one.name)).toList();
            if (pictures.size() == 1 && !open.isEmpty()) {
                sink.failed(open.getFirst(), e instanceof OutOfMemoryError
                        ? "out of memory (" + e.getMessage() + "); ask for a smaller picture" : e.getMessage());
                return;
            }
            open.forEach(one -> attempt(List.of(one), sink, () -> drawAll(one.stand,
                    List.of(encoded(one.stand, one)), sink)));
        }
    }

    private Encoded encoded(Stand stand, Settled picture) {
        long start = System.nanoTime();
        Pipeline pipeline = stand.kept(picture.request);
        pipeline.hold(picture.request);
        List<Conditioning> prompts = pipeline.encode(picture.request, new Watch());
        return new Encoded(picture, prompts, System.nanoTime() - start);
    }

    private void together(Stand stand, List<Settled> pictures, Counting sink) {
        long start = System.nanoTime();
        GenerationRequest first = pictures.getFirst().request;
        Pipeline pipeline = stand.kept(first);
        pipeline.hold(first);
        List<List<Conditioning>> prompts = pipeline.encode(pictures.stream().map(Settled::request).toList(),
                new Watch());
        long each = (System.nanoTime() - start) / pictures.size();
        Map<BatchKey, List<Encoded>> groups = new LinkedHashMap<>();
        for (int i = 0; i < pictures.size(); i++) {
            groups.computeIfAbsent(pipeline.batchKey(pictures.get(i).request).with(prompts.get(i)),
                    _ -> new ArrayList<>()).add(new Encoded(pictures.get(i), prompts.get(i), each));
        }
        int most = together(pipeline, first);
        for (List<Encoded> group : groups.values()) {
            for (int from = 0; from < group.size(); from += most) {
                List<Encoded> some = group.subList(from, Math.min(group.size(), from + most));
                attempt(some.stream().map(Encoded::picture).toList(), sink, () -> drawAll(stand, some, sink));
            }
        }
    }

    /** How many such requests are denoised at once. */
    private int together(Pipeline pipeline, GenerationRequest request) {
        long pixels = (long) request.width() * request.height();
        int most = settings.together() > 0 ? settings.together()
                : Math.clamp(PIXELS_TOGETHER / pixels, 1, MOST_TOGETHER);
        long budget = pipeline.policy().budget();
        while (most > 1 && budget != Long.MAX_VALUE && pipeline.plan(request.toBuilder().images(most)
                .seeds(GenerationRequest.Seeds.ONE_DRAW).build(), false).peak() > budget) {
            most /= 2;
        }
        return most;
    }

    private void drawAll(Stand stand, List<Encoded> some, Counting sink) {
        Pipeline pipeline = stand.kept(some.getFirst().picture.request);
        Watch watch = new Watch();
        long start = System.nanoTime();
        List<float[]> latents = some.size() == 1
                ? List.of(pipeline.denoise(some.getFirst().picture.request, some.getFirst().prompts, watch))
                : pipeline.denoise(some.stream().map(one -> one.picture.request).toList(),
                        some.stream().map(Encoded::prompts).toList(), watch);
        long each = (System.nanoTime() - start) / some.size();
        for (int i = 0; i < some.size(); i++) {
            Encoded one = some.get(i);
            long before = System.nanoTime();
            Picture picture = pipeline.decode(one.picture.request, latents.get(i), watch).getFirst();
            if (watch.tile != one.picture.tile) {
                throw new IllegalStateException("tiles of " + watch.tile + " pixels were used, those of "
                        + one.picture.tile + " were planned");
            }
            sink.drawn(one.picture, () -> settings.format().encode(picture,
                    Map.of(Infotext.KEYWORD, one.picture.text)),
                    one.nanos + each + System.nanoTime() - before);
        }
    }

    private void letGo() {
        if (active != null && active.kept != null) {
            active.kept.close();
        }
        active = null;
    }

    @Override
    public void close() {
        letGo();
        stands.values().forEach(stand -> stand.opened.close());
        stands.clear();
    }

    /** Passes on notes, sees the tiles, and ends where the thread is interrupted. */
    private final class Watch implements Progress {
        private int tile;

        @Override
        public void used(Stage stage, StageMemory memory) {
            tile = stage == Stage.DECODE ? memory.tile() : tile;
        }

        @Override
        public void note(String line) {
            notes.accept(line);
        }

        @Override
        public boolean cancelled() {
            return Thread.currentThread().isInterrupted();
        }
    }
}
