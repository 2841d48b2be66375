package jdiffusion.server.mcp;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigInteger;
import java.util.List;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.Hires;
import jdiffusion.model.request.InpaintSettings;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.draw.Limits;
import jdiffusion.server.draw.RequestPreparer;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.http.Json;

/** What the tools are and take, as JSON Schema 2020-12, with the defaults of the usual model. */
record ToolSchemas(RequestPreparer preparer) {
    static final String GENERATE = "generate_image";
    static final String EDIT = "edit_image";
    static final String MODELS = "list_models";
    static final List<String> FORMATS = List.of("png", "jpeg");
    private static final BigInteger LARGEST_SEED = BigInteger.ONE.shiftLeft(64).subtract(BigInteger.ONE);
    private static final double USUAL_STRENGTH_LEAST = 0;

    ArrayNode all() {
        ArrayNode tools = Json.array();
        ObjectNode generate = tool(tools, GENERATE, "Generate an image", "Draws pictures from a description. Gives"
                + " each picture, and a text with its seed, its settings and a name under which " + EDIT
                + " takes it again.");
        properties(generate, false);
        ObjectNode edit = tool(tools, EDIT, "Edit an image", "Draws a picture anew from a description: all of it, as"
                + " far as strength says, or where a mask is white or transparent.");
        properties(edit, true);
        ObjectNode models = tool(tools, MODELS, "List models", "The models that can draw, with their usual sizes and"
                + " settings.");
        models.withObject("/inputSchema").putObject("properties");
        return tools;
    }

    private static ObjectNode tool(ArrayNode tools, String name, String title, String description) {
        ObjectNode tool = tools.addObject().put("name", name).put("title", title).put("description", description);
        tool.putObject("inputSchema").put("type", "object").put("additionalProperties", false);
        tool.putObject("annotations").put("readOnlyHint", name.equals(MODELS)).put("destructiveHint", false)
                .put("idempotentHint", name.equals(MODELS)).put("openWorldHint", false);
        return tool;
    }

    private void properties(ObjectNode tool, boolean edits) {
        ObjectNode schema = tool.withObject("/inputSchema");
        ObjectNode properties = schema.putObject("properties");
        ArrayNode required = schema.putArray("required");
        Limits limits = preparer.limits();
        ServedModel usual = preparer.servedModels().usual();
        GenerationRequest defaults = usual.request("");
        text(properties, "prompt", "What to draw.");
        required.add("prompt");
        if (edits) {
            text(properties, "image", "The picture to edit: a PNG or JPEG in base64, or the name of a picture that was"
                    + " drawn before.");
            required.add("image");
            text(properties, "mask", "A picture in base64, or such a name, that says where to draw: where it is"
                    + " transparent, or white if it has no transparency. Without one all is drawn anew.");
            number(properties, "strength", "How much changes: near 0 little, 1 all. Without it " + defaults.strength()
                    + ", with a mask 1.").put("exclusiveMinimum", USUAL_STRENGTH_LEAST).put("maximum", 1);
            integer(properties, "mask_blur", "Pixels by which the mask's edges are softened; needs a mask.")
                    .put("minimum", 0).put("maximum", InpaintSettings.MOST_BLUR);
            properties.putObject("only_masked").put("type", "boolean").put("description", "Whether the masked part is"
                    + " cut out, drawn at the size asked for, and put back: for small details; needs a mask.");
            text(properties, "outpaint", "Draws around the picture: pixels to add on the left, at the top, on the right"
                    + " and at the bottom, such as 64,0,64,0.");
        }
        text(properties, "negative_prompt", "What to avoid.");
        ObjectNode model = text(properties, "model", "Which model draws; without it " + usual.id() + ".");
        ArrayNode models = model.putArray("enum");
        preparer.servedModels().all().forEach(one -> models.add(one.id()));
        side(properties, "width", defaults.width(), edits);
        side(properties, "height", defaults.height(), edits);
        integer(properties, "steps", "Steps of the sampler: more take longer; without it " + defaults.steps() + ".")
                .put("minimum", 1).put("maximum", limits.steps());
        number(properties, "guidance", "How closely the prompt is followed; without it " + defaults.guidance() + ".");
        integer(properties, "seed", "The same seed and settings give the same picture; without it a random one.")
                .put("minimum", 0).put("maximum", LARGEST_SEED);
        integer(properties, "images", "How many pictures, with seeds that count up.").put("minimum", 1)
                .put("maximum", limits.images()).put("default", 1);
        ArrayNode samplers = text(properties, "sampler", "The method of sampling; without it "
                + defaults.sampler().kind().label() + ".").putArray("enum");
        for (Sampler.Kind kind : Sampler.Kind.values()) {
            samplers.add(kind.label());
        }
        ArrayNode schedules = text(properties, "scheduler", "The schedule of noise levels; without it the model's.")
                .putArray("enum");
        for (SigmaSchedule schedule : SigmaSchedule.values()) {
            schedules.add(schedule.label());
        }
        number(properties, "hires", "Draws the picture once more, so many times as large, from the first one: for fine"
                + " details; takes several times as long.").put("minimum", 1).put("maximum", Hires.MOST);
        ArrayNode formats = text(properties, "format", "png has the settings in it; jpeg is smaller.")
                .put("default", FORMATS.getFirst()).putArray("enum");
        FORMATS.forEach(formats::add);
    }

    private static ObjectNode text(ObjectNode properties, String name, String description) {
        return properties.putObject(name).put("type", "string").put("description", description);
    }

    private static ObjectNode integer(ObjectNode properties, String name, String description) {
        return properties.putObject(name).put("type", "integer").put("description", description);
    }

    private static ObjectNode number(ObjectNode properties, String name, String description) {
        return properties.putObject(name).put("type", "number").put("description", description);
    }

    /** Models differ: what fits one of them passes here, and is checked for the one that is asked for. */
    private void side(ObjectNode properties, String name, int usual, boolean edits) {
        List<ServedModel> models = preparer.servedModels().all();
        int multiple = models.stream().mapToInt(model -> model.sizes().multiple()).reduce(0, ToolSchemas::divisor);
        int largest = models.stream().mapToInt(model -> model.sizes().largest()).max().orElse(usual);
        integer(properties, name, "In pixels; without it " + (edits ? "that of the picture" : usual) + ". At most "
                + preparer.limits().pixels() + " pixels in all.").put("minimum", multiple).put("maximum", largest)
                .put("multipleOf", multiple);
    }

    private static int divisor(int a, int b) {
        return b == 0 ? a : divisor(b, a % b);
    }

    /** What {@link #MODELS} gives. */
    ObjectNode models() {
        ObjectNode json = Json.object();
        ArrayNode models = json.putArray("models");
        for (ServedModel model : preparer.servedModels().all()) {
            GenerationRequest usual = model.request("");
            models.addObject().put("model", model.id()).put("label", model.variant().label())
                    .put("family", model.family().label())
                    .put("usual", model == preparer.servedModels().usual()).put("width", usual.width())
                    .put("height", usual.height()).put("size_multiple", model.sizes().multiple())
                    .put("largest_side", model.sizes().largest()).put("steps", usual.steps())
                    .put("guidance", usual.guidance()).put("sampler", usual.sampler().kind().label());
        }
        return json;
    }
}
