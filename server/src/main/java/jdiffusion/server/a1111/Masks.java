package jdiffusion.server.a1111;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.stream.Stream;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.family.PixelSize;
import jdiffusion.model.image.Picture;
import jdiffusion.model.image.PictureFile;
import jdiffusion.model.request.HiresChoices;
import jdiffusion.model.request.InpaintChoices;
import jdiffusion.model.request.PictureFields;
import jdiffusion.model.request.json.Fields;
import jdiffusion.server.calls.Calls;
import jdiffusion.server.http.HttpError;

/** Masks and second passes. What is left out is as it is there, since clients rely on it. */
record Masks(Calls calls) {
    private static final int USUAL_BLUR = 4;
    private static final double USUAL_FACTOR = 2;
    private static final double USUAL_STRENGTH = 0.75;
    /** What a second pass could have of its own. */
    private static final List<String> OF_SECOND_PASS = List.of("hr_checkpoint_name", "hr_sampler_name", "hr_scheduler",
            "hr_prompt", "hr_negative_prompt");

    void read(Fields fields, PictureFields asked) {
        byte[] mask = fields.file("mask");
        if (mask == null) {
            return;
        }
        Picture read = calls.decode(() -> PictureFile.readMask(mask, "mask", asked.notes::add));
        asked.mask = read;
        InpaintChoices inpaint = asked.inpaint;
        inpaint.blur = blur(fields, asked.notes);
        inpaint.inverted = flag(fields, "inpainting_mask_invert", false);
        inpaint.onlyMasked = flag(fields, "inpaint_full_res", true);
        Integer padding = fields.integer("inpaint_full_res_padding");
        inpaint.padding = padding == null ? 0 : padding;
        Integer fill = fields.integer("inpainting_fill");
        if (fill != null && (fill < 0 || fill >= MaskFill.values().length)) {
            throw HttpError.badField("inpainting_fill", "inpainting_fill is " + fill + "; use 0 (fill), 1 (original),"
                    + " 2 (latent noise) or 3 (latent nothing)");
        }
        inpaint.fill = MaskFill.values()[fill == null ? 0 : fill];
        inpaint.pasted = true;
    }

    private static int blur(Fields fields, List<String> notes) {
        Integer both = fields.integer("mask_blur");
        if (both != null) {
            return both;
        }
        Integer x = fields.integer("mask_blur_x");
        Integer y = fields.integer("mask_blur_y");
        int across = x == null ? USUAL_BLUR : x;
        int down = y == null ? USUAL_BLUR : y;
        if (across != down) {
            notes.add("mask_blur_x and mask_blur_y cannot differ here; the mask was blurred by "
                    + Math.max(across, down) + " pixels each way");
        }
        return Math.max(across, down);
    }

    /** Clients write 0 and 1, or false and true. */
    private static boolean flag(Fields fields, String name, boolean otherwise) {
        JsonNode node = fields.node(name);
        if (node != null && node.isBoolean()) {
            return node.booleanValue();
        }
        Integer number = fields.integer(name);
        return number == null ? otherwise : number != 0;
    }

    /** The enlargement that {@code txt2img} calls hires fix. */
    void secondPass(Fields fields, PictureFields asked, boolean fromPicture) {
        if (!Boolean.TRUE.equals(fields.flag("enable_hr"))) {
            return;
        }
        if (fromPicture) {
            throw Generation.cannot("enable_hr (it is for txt2img)");
        }
        for (String name : OF_SECOND_PASS) {
            String value = fields.text(name);
            String first = fields.text(name.substring(3));
            if (value != null && !value.equals(first)
                    && Stream.of("", "None").noneMatch(value::equals) && !value.startsWith("Use same")) {
                throw Generation.cannot(name);
            }
        }
        HiresChoices hires = asked.hires;
        Integer width = fields.integer("hr_resize_x");
        Integer height = fields.integer("hr_resize_y");
        PixelSize size = new PixelSize(width == null ? 0 : width, height == null ? 0 : height);
        if (size.width() < 0 || size.height() < 0) {
            throw HttpError.badField("hr_resize_x", "hr_resize_x and hr_resize_y are " + size + "; use 0 or more");
        }
        hires.size = size.width() == 0 && size.height() == 0 ? null : size;
        Double factor = fields.precise("hr_scale");
        hires.factor = hires.size != null ? null : factor == null ? Double.valueOf(USUAL_FACTOR) : factor;
        Double strength = fields.precise("denoising_strength");
        hires.strength = strength == null ? USUAL_STRENGTH : strength;
        Integer steps = fields.integer("hr_second_pass_steps");
        hires.steps = steps == null ? 0 : steps;
        String name = fields.text("hr_upscaler");
        hires.upscaler = name == null ? Hires.Upscaler.LATENT : Hires.Upscaler.find(name);
        if (hires.upscaler == null) {
            throw HttpError.badField("hr_upscaler", "there is no upscaler of that name; use "
                    + String.join(" or ", Stream.of(Hires.Upscaler.values()).map(Hires.Upscaler::title).toList()));
        }
    }
}
