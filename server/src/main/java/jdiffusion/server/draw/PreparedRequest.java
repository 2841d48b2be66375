package jdiffusion.server.draw;

import java.util.List;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Paste;
import jdiffusion.model.image.Picture;
import jdiffusion.model.request.ControlInput;
import jdiffusion.model.request.InputPictures;

/**
 * A client's request with nothing left open, which the model can draw.
 *
 * @param request for all pictures, with seeds counting up
 * @param control the model's files with all that is added to them, and the ControlNet among it
 * @param prompt  as the client wrote it, with the names of LoRAs in it
 * @param inputs  the picture to start from and the mask as the client sent them
 * @param notes   what the client should know
 */
public record PreparedRequest(ServedModel model, GenerationRequest request, List<Lora> loras, ControlInput control,
                              String prompt, InputPictures inputs, List<String> notes) {
    /** One of its pictures, from 0. */
    public GenerationRequest picture(int i) {
        return request.toBuilder().images(1).seed(request.seed() + i).build();
    }

    /** Bytes of the pictures in it, which are kept until it is drawn. */
    public long bytes() {
        Paste paste = request.inpainting().paste();
        return size(request.init()) + size(request.mask()) + size(inputs.init()) + size(inputs.mask())
                + (paste == null ? 0 : paste.bytes())
                + (request.control() == null ? 0 : size(request.control().picture()) + size(control.picture()));
    }

    private static long size(Picture picture) {
        return picture == null ? 0 : picture.rgb().length;
    }
}
