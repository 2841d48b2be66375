package jdiffusion.model.request.json;

import com.fasterxml.jackson.databind.JsonNode;
import jdiffusion.model.family.Hires;
import jdiffusion.model.family.MaskFill;
import jdiffusion.model.image.Border;
import jdiffusion.model.request.HiresChoices;
import jdiffusion.model.request.InpaintChoices;
import jdiffusion.model.request.PictureFields;
import jdiffusion.tensor.InputException;

/** How a mask acts, a border around the picture, and a second pass, under the command line's names. */
public final class ExtraFields {
    private ExtraFields() {
    }

    /** Reads what is there, once the mask is read. */
    public static void read(Fields fields, PictureFields asked) {
        InpaintChoices inpaint = asked.inpaint;
        inpaint.blur = fields.integer("mask_blur");
        inpaint.inverted = fields.flag("mask_invert");
        inpaint.onlyMasked = fields.flag("only_masked");
        inpaint.padding = fields.integer("mask_padding");
        String fill = fields.text("mask_fill");
        inpaint.fill = fill == null ? null : MaskFill.of(fill);
        inpaint.pasted = fields.flag("mask_paste");
        String sides = text(fields, "outpaint");
        inpaint.border = sides == null ? null : border(sides);
        if (inpaint.needsMask() && asked.mask == null) {
            throw Fields.bad("mask", "mask_blur, mask_invert, only_masked, mask_fill and mask_paste are of a"
                    + " mask; give one");
        }
        HiresChoices hires = asked.hires;
        String size = text(fields, "hires");
        if (size != null) {
            hires.larger(size, "hires");
        }
        hires.strength = fields.precise("hires_strength");
        hires.steps = fields.integer("hires_steps");
        String upscaler = fields.text("hires_upscaler");
        hires.upscaler = upscaler == null ? null : Hires.Upscaler.of(upscaler);
    }

    private static Border border(String sides) {
        try {
            return Border.of(sides, "outpaint");
        } catch (InputException e) {
            throw Fields.bad("outpaint", e.getMessage());
        }
    }

    /** A number is as good as a text, and so is a list of them. */
    private static String text(Fields fields, String name) {
        JsonNode node = fields.node(name);
        if (node == null) {
            return null;
        }
        return node.isArray() ? String.join(",", node.valueStream().map(JsonNode::asText).toList()) : node.asText();
    }
}
