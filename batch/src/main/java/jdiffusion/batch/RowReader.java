package jdiffusion.batch;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.function.Consumer;
import jdiffusion.model.JsonTree;
import jdiffusion.model.adapter.ControlKind;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.ControlChoice;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.json.ExtraFields;
import jdiffusion.model.request.json.Fields;
import jdiffusion.model.request.json.SettingFields;
import jdiffusion.tensor.InputException;

/**
 * Reads what rows ask for. A row without a seed gets one from its content and the run's seed, so that the same row
 * always gets the same one.
 */
public final class RowReader {
    private static final long SEEDS = 1L << 32;
    private static final int MOST_IMAGES = 1000;

    private final Columns columns;
    private final Alternatives alternatives;
    private final Path folder;
    private final long seed;

    /**
     * What a row asks for of one picture.
     *
     * @param fields  without a ControlNet
     * @param loras   of the column, with what it says of each
     * @param given   the same as written
     * @param control the ControlNet; {@link ControlChoice#NONE} for none
     */
    public record Asked(PictureFields fields, List<Lora> loras, List<String> given, ControlChoice control) {
    }

    /**
     * @param wildcards folder of lists for prompts; null for none
     * @param literal   whether braces and underscores in prompts are text
     * @param folder    from which names of files are read that are relative
     * @param seed      of the run
     * @param notes     told of columns that look misspelt
     */
    public RowReader(Path wildcards, boolean literal, Path folder, long seed, Consumer<String> notes) {
        this.columns = new Columns(notes);
        this.alternatives = literal ? null : new Alternatives(wildcards);
        this.folder = folder;
        this.seed = seed;
    }

    private Columns.Parted parted(Row row) {
        if (row.fault() != null) {
            throw new InputException(row.fault());
        }
        return columns.part(row.columns());
    }

    /** What a row calls itself; null where it does not. */
    public String id(Row row) {
        JsonNode id = row.columns() == null ? null : row.columns().get(Columns.ID);
        return id == null || id.isNull() ? null : id.asText();
    }

    /** Columns of the user's own. */
    public ObjectNode other(Row row) {
        try {
            return row.columns() == null ? JsonTree.object() : parted(row).other();
        } catch (InputException e) {
            return JsonTree.object();
        }
    }

    /** How many pictures a row asks for. */
    public int images(Row row) {
        Integer images = parted(row).ours().integer("images");
        if (images != null && (images < 1 || images > MOST_IMAGES)) {
            throw Fields.bad("images", "images is " + images + "; use 1 to " + MOST_IMAGES);
        }
        return images == null ? 1 : images;
    }

    /** What it asks for of one of its pictures, from 0. */
    public Asked read(Row row, int image) {
        Fields ours = parted(row).ours();
        PictureFields asked = new PictureFields();
        SettingFields.read(ours, asked);
        if (asked.prompt == null || asked.prompt.isBlank()) {
            throw Fields.bad("prompt", "the prompt is missing");
        }
        long content = content(ours.json());
        asked.seed = (asked.seed == null ? Long.remainderUnsigned(content, SEEDS) : asked.seed) + image;
        asked.images = 1;
        if (alternatives != null) {
            choose(asked, new SplittableRandom(content + 0x9E3779B97F4A7C15L * image));
        }
        asked.init = picture(ours, Columns.INIT) == null ? null : PictureFile.read(picture(ours, Columns.INIT));
        asked.mask = picture(ours, Columns.MASK) == null ? null
                : PictureFile.readMask(picture(ours, Columns.MASK), asked.notes::add);
        ExtraFields.read(ours, asked);
        List<String> given = loras(ours.node(Columns.LORA));
        return new Asked(asked, given.stream().map(one -> Lora.parse(one,
                name -> path(Columns.LORA, name))).toList(), given, control(ours));
    }

    /** Each text gets its own choices, the prompt the first. */
    private void choose(PictureFields asked, SplittableRandom random) {
        asked.prompt = alternatives.choose(asked.prompt, random);
        asked.prompt2 = alternatives.choose(asked.prompt2, random);
        asked.negativePrompt = alternatives.choose(asked.negativePrompt, random);
        asked.negativePrompt2 = alternatives.choose(asked.negativePrompt2, random);
    }

    /** 64 bits of a row's content, whatever the order of its columns, and the run's seed. */
    private long content(ObjectNode ours) {
        ObjectNode sorted = JsonTree.object();
        new TreeSet<>(ours.propertyStream().map(Map.Entry::getKey).toList()).forEach(name -> {
            if (!name.equals(Columns.ID) && !name.equals("images")) {
                sorted.put(name, ours.get(name).isTextual() ? ours.get(name).textValue() : ours.get(name).toString());
            }
        });
        MessageDigest digest = Canonical.digest();
        digest.update(ByteBuffer.allocate(Long.BYTES).putLong(seed).flip());
        return ByteBuffer.wrap(digest.digest(sorted.toString().getBytes(StandardCharsets.UTF_8))).getLong();
    }

    private Path picture(Fields ours, String name) {
        String text = ours.text(name);
        return text == null ? null : path(name, text);
    }

    private Path path(String column, String text) {
        try {
            return folder.resolve(text);
        } catch (InvalidPathException e) {
            throw Fields.bad(column, column + " is '" + InputException.shown(text) + "', which is no file name");
        }
    }

    private static List<String> loras(JsonNode node) {
        List<String> all = new ArrayList<>();
        if (node == null) {
            return all;
        }
        if (node.isArray()) {
            for (JsonNode one : node) {
                if (!one.isTextual()) {
                    throw Fields.bad(Columns.LORA, "lora must be FILE:WEIGHT, or a list of such texts");
                }
                all.add(one.textValue());
            }
        } else if (node.isTextual()) {
            for (String one : node.textValue().split(";")) {
                all.add(one.strip());
            }
        } else {
            throw Fields.bad(Columns.LORA, "lora must be FILE:WEIGHT, or a list of such texts");
        }
        all.removeIf(String::isEmpty);
        return all;
    }

    private ControlChoice control(Fields ours) {
        String kind = ours.text(Columns.CONTROL_KIND);
        return new ControlChoice(picture(ours, Columns.CONTROL_NET), picture(ours, Columns.CONTROL_IMAGE),
                kind == null ? null : ControlKind.of(kind), ours.decimal(Columns.CONTROL_STRENGTH),
                ours.precise(Columns.CONTROL_START), ours.precise(Columns.CONTROL_END));
    }
}
