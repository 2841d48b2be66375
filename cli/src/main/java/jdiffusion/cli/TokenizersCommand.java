package jdiffusion.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.checkpoint.ModelFiles;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.model.tokenizer.VocabularyFile;
import jdiffusion.model.tokenizer.places.Looked;
import jdiffusion.model.tokenizer.places.Need;
import jdiffusion.model.tokenizer.places.Place;
import jdiffusion.model.tokenizer.places.TokenizerSearch;
import jdiffusion.tensor.InputException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Lists the tokenizers that were found, and which of them a model's text encoders would use. */
@Command(name = "tokenizers", mixinStandardHelpOptions = true, versionProvider = Version.class, sortOptions = false,
        header = "List the tokenizers that are found, and what a model would use.",
        description = "Without a model: what lies in the folder given with --tokenizer, in"
            + " ~/.cache/jdiffusion/tokenizers and in Hugging Face's cache. With one: for each text encoder what it"
            + " would use, what else there is, and why that does not fit; exits with 1 when one has none.",
        footerHeading = "%nExamples:%n",
        footer = {
            "  jdiffusion tokenizers",
            "  jdiffusion tokenizers --model sd3.5_medium.safetensors",
            "  jdiffusion tokenizers --tokenizer ComfyUI --json"})
final class TokenizersCommand implements Callable<Integer> {
    @Mixin
    private ModelOptions model;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @CommandLine.ParentCommand
    private Main main;

    /**
     * What there is for one encoder, or for all of a kind.
     *
     * @param used  null when none fits
     * @param fault why there is none; null when there is one
     */
    private record Group(String name, TokenizerKind kind, Looked used, List<Looked> all, String fault) {
    }

    @Override
    public Integer call() {
        List<Group> groups = model.given() ? ofModel(model.open(Set.of())) : ofPlaces();
        if (json) {
            main.out().println(toJson(groups));
        } else {
            groups.forEach(this::print);
            if (!model.given() && groups.stream().allMatch(group -> group.all.isEmpty())) {
                main.err().println("note: a model's folder brings its own; docs/tokenizers.md says where others are to be"
                        + " had");
            }
        }
        return groups.stream().allMatch(group -> group.fault == null) ? Main.OK : Main.FAILED;
    }

    private static List<Group> ofModel(ModelFiles files) {
        List<Group> groups = new ArrayList<>();
        for (Component encoder : Component.ENCODERS) {
            if (files.has(encoder)) {
                groups.add(group(files, encoder));
            }
        }
        if (groups.isEmpty()) {
            throw new InputException(files.origin() + ": there is no text encoder in it or beside it, so no tokenizer"
                    + " is needed; " + Component.ENCODERS.stream().map(files::missing)
                            .filter(Objects::nonNull).findFirst().orElse("give one with --clip-l"));
        }
        return groups;
    }

    private static Group group(ModelFiles files, Component encoder) {
        List<Looked> all = List.of();
        try {
            all = files.vocabularies(encoder);
            files.tokenizer(encoder);
        } catch (InputException e) {
            return new Group(encoder.label(), files.architecture().tokenizerKind(encoder), null, all, e.getMessage());
        }
        VocabularyFile used = files.vocabulary(encoder);
        return new Group(encoder.label(), files.architecture().tokenizerKind(encoder), all.stream()
                .filter(looked -> looked.file().equals(used)).findFirst().orElse(null), all, null);
    }

    /** What needs no model to be found. */
    private List<Group> ofPlaces() {
        if (model.tokenizer != null && !Files.isDirectory(model.tokenizer)) {
            throw new InputException("--tokenizer " + model.tokenizer + " is not a folder");
        }
        List<Place> places = Stream.concat(Stream.ofNullable(model.tokenizer).map(Place::given),
                Place.of(model.elsewhere()).stream()).toList();
        return Arrays.stream(TokenizerKind.values()).map(kind -> new Group(kind.label(), kind, null,
                new TokenizerSearch(places).all(new Need(kind.label(), "tokenizer", kind, true, 0)), null)).toList();
    }

    private void print(Group group) {
        main.out().println(group.name + ":");
        if (group.all.isEmpty()) {
            main.out().println("  none found");
        }
        for (Looked looked : group.all) {
            String use = looked == group.used ? "used" : looked.fits() ? "fits" : "no  ";
            main.out().println("  " + use + "  " + (looked.fits() ? path(looked) + ": " + looked.tokenizer().size()
                    + " tokens" : looked.fault()) + "; " + looked.place());
        }
        if (group.fault != null) {
            main.out().println("  " + group.fault);
        }
    }

    private static String path(Looked looked) {
        List<Path> files = looked.file().files();
        return files.getFirst() + (files.size() == 1 ? "" : ", " + files.getLast().getFileName());
    }

    private static ArrayNode toJson(List<Group> groups) {
        ArrayNode list = new ObjectMapper().createArrayNode();
        for (Group group : groups) {
            ObjectNode node = list.addObject().put("for", group.name).put("kind", group.kind.name().toLowerCase(
                    Locale.ROOT)).put("uses", group.used == null ? null : group.used.path())
                    .put("fault", group.fault);
            ArrayNode found = node.putArray("found");
            for (Looked looked : group.all) {
                ObjectNode one = found.addObject().put("place", looked.place());
                ArrayNode files = one.putArray("files");
                looked.file().files().forEach(file -> files.add(file.toString()));
                one.put("fits", looked.fits()).put("tokens", looked.tokenizer() == null ? null
                        : (Integer) looked.tokenizer().size()).put("fault", looked.fits() ? null : looked.fault());
            }
        }
        return list;
    }
}
