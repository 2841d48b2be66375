package jdiffusion.server.a1111;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import jdiffusion.model.adapter.LoraFolder;
import jdiffusion.model.family.Hires;
import jdiffusion.model.sampling.Sampler;
import jdiffusion.model.sampling.SigmaSchedule;
import jdiffusion.server.draw.RequestPreparer;
import jdiffusion.server.draw.ServedModel;
import jdiffusion.server.http.Json;

/** What clients of AUTOMATIC1111's web UI ask for when they start. */
record Lists(RequestPreparer preparer) {
    static final String CHECKPOINT = "sd_model_checkpoint";
    private static final int USUAL_SCALE = 4;
    /** Of what there is none here. */
    private static final List<String> EMPTY = List.of("sd-vae", "hypernetworks", "face-restorers", "realesrgan-models", "prompt-styles", "script-info");

    /** Lists by the last part of their addresses. */
    Map<String, Supplier<JsonNode>> all() {
        Map<String, Supplier<JsonNode>> all = new LinkedHashMap<>();
        all.put("sd-models", this::models);
        all.put("samplers", Lists::samplers);
        all.put("schedulers", Lists::schedulers);
        all.put("loras", this::loras);
        all.put("upscalers", Lists::upscalers);
        all.put("latent-upscale-modes", Lists::latentModes);
        all.put("memory", Lists::memory);
        all.put("cmd-flags", Json::object);
        all.put("scripts", () -> {
            ObjectNode scripts = Json.object();
            scripts.putArray("txt2img");
            scripts.putArray("img2img");
            return scripts;
        });
        all.put("embeddings", () -> {
            ObjectNode embeddings = Json.object();
            embeddings.putObject("loaded");
            embeddings.putObject("skipped");
            return embeddings;
        });
        EMPTY.forEach(name -> all.put(name, Json::array));
        return all;
    }

    ObjectNode options() {
        return Json.object().put(CHECKPOINT, title(preparer.servedModels().usual())).put("samples_format", "png")
                .put("CLIP_stop_at_last_layers", 1).put("sd_vae", "Automatic");
    }

    /** Under which name clients choose a model. */
    static String title(ServedModel model) {
        return model.id();
    }

    /** The name without the hash that A1111's titles have. */
    static String name(String title) {
        return title.replaceFirst(" \\[[0-9a-f]{6,64}]$", "");
    }

    private JsonNode models() {
        ArrayNode models = Json.array();
        for (ServedModel model : preparer.servedModels().all()) {
            models.addObject().put("title", title(model)).put("model_name", model.id()).putNull("hash")
                    .putNull("sha256").put("filename", model.path().getFileName() == null ? model.id()
                            : model.path().getFileName().toString()).putNull("config");
        }
        return models;
    }

    private static JsonNode samplers() {
        ArrayNode samplers = Json.array();
        for (Sampler.Kind kind : Sampler.Kind.values()) {
            ObjectNode sampler = samplers.addObject().put("name", kind.title());
            sampler.putArray("aliases").add(kind.label());
            sampler.putObject("options");
        }
        return samplers;
    }

    private static JsonNode schedulers() {
        ArrayNode schedulers = Json.array();
        for (SigmaSchedule schedule : SigmaSchedule.values()) {
            ObjectNode one = schedulers.addObject().put("name", schedule.label()).put("label", schedule.title());
            one.putArray("aliases");
            one.put("default_rho", -1).put("need_inner_model", false);
        }
        return schedulers;
    }

    /** Of pictures; latents have a list of their own. */
    private static JsonNode upscalers() {
        ArrayNode upscalers = Json.array();
        upscalers.addObject().put("name", Hires.Upscaler.LANCZOS.title()).putNull("model_name").putNull("model_path")
                .putNull("model_url").put("scale", USUAL_SCALE);
        return upscalers;
    }

    private static JsonNode latentModes() {
        ArrayNode modes = Json.array();
        modes.addObject().put("name", Hires.Upscaler.LATENT.title());
        return modes;
    }

    private JsonNode loras() {
        ArrayNode loras = Json.array();
        if (preparer.loraFolder() != null) {
            for (String name : LoraFolder.names(preparer.loraFolder())) {
                loras.addObject().put("name", name).put("alias", name).put("path", name + ".safetensors")
                        .putObject("metadata");
            }
        }
        return loras;
    }

    private static JsonNode memory() {
        Runtime runtime = Runtime.getRuntime();
        ObjectNode memory = Json.object();
        long used = runtime.totalMemory() - runtime.freeMemory();
        memory.putObject("ram").put("free", runtime.maxMemory() - used).put("used", used)
                .put("total", runtime.maxMemory());
        memory.putObject("cuda");
        return memory;
    }
}
