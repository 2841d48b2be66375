package jdiffusion.server.own;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import jdiffusion.model.adapter.ControlFolder;
import jdiffusion.model.adapter.LoraFolder;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.family.ImageSize;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.draw.DrawingThread;
import jdiffusion.server.draw.Limits;
import jdiffusion.server.draw.RequestPreparer;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.http.Json;

/**
 * What can be asked for, with the defaults.
 *
 * @param queue   jobs that may wait
 * @param version of the program
 * @param history whether pictures are kept
 */
public record Options(RequestPreparer preparer, DrawingThread drawing, int queue, String version, boolean history) {
    ObjectNode json() {
        ObjectNode json = Json.object().put("version", version).put("device", drawing.backend().describe())
                .put("history", history);
        ArrayNode models = json.putArray("models");
        List<String> nets = preparer.controlFolder() == null ? List.of()
                : ControlFolder.names(preparer.controlFolder());
        preparer.servedModels().all().forEach(model -> models.add(model(model, nets)));
        json.set("groups", FormFields.groups());
        json.set("fields", FormFields.fields(preparer.limits(), nets));
        ArrayNode samplers = json.putArray("samplers");
        for (Sampler.Kind kind : Sampler.Kind.values()) {
            samplers.add(kind.label());
        }
        ArrayNode schedulers = json.putArray("schedulers");
        for (SigmaSchedule schedule : SigmaSchedule.values()) {
            schedulers.add(schedule.label());
        }
        ArrayNode loras = json.putArray("loras");
        Path folder = preparer.loraFolder();
        if (folder != null) {
            LoraFolder.names(folder).forEach(loras::add);
        }
        ArrayNode controlNets = json.putArray("control_nets");
        nets.forEach(controlNets::add);
        Limits limits = preparer.limits();
        json.putObject("limits").put("pixels", limits.pixels()).put("steps", limits.steps())
                .put("images", limits.images()).put("body_bytes", limits.body()).put("queue", queue);
        return json;
    }

    private ObjectNode model(ServedModel model, List<String> controlNets) {
        GenerationRequest usual = model.request("");
        ImageSize sizes = model.sizes();
        ObjectNode json = Json.object().put("id", model.id()).put("label", model.variant().label())
                .put("family", model.family().label())
                .put("usual", model == preparer.servedModels().usual()).put("loaded", model == drawing.loaded())
                .put("width", usual.width()).put("height", usual.height()).put("size_multiple", sizes.multiple())
                .put("largest_side", sizes.largest()).put("steps", usual.steps()).put("guidance", usual.guidance())
                .put("sampler", usual.sampler().kind().label())
                .put("scheduler", usual.schedule() == null ? null : usual.schedule().label())
                .put("strength", usual.strength()).put("guided", usual.guided())
                .put("few_step", FormFields.isFast(usual));
        json.set("defaults", FormFields.defaults(model, usual, controlNets));
        json.set("ranges", FormFields.ranges(usual));
        return json;
    }
}
