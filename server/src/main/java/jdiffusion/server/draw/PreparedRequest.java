package jdiffusion.server.draw;

import java.util.List;
import jdiffusion.model.adapter.Lora;
import jdiffusion.model.family.GenerationRequest;
import jdiffusion.model.image.Picture;

/**
 * A client's request with nothing left open, which the model can draw.
 *
 * @param request for all pictures, with seeds counting up
 * @param prompt  as the client wrote it, with the names of LoRAs in it
 * @param init    the picture to start from as the client sent it; null for none
 * @param mask    likewise
 * @param notes   what the client should know
 */
public record PreparedRequest(ServedModel model, GenerationRequest request, List<Lora> loras, String prompt,
                              Picture init, Picture mask, List<String> notes) {
    /** One of its pictures, from 0. */
    public GenerationRequest picture(int i) {
        return request.toBuilder().images(1).seed(request.seed() + i).build();
    }

    /** Bytes of the pictures in it, which are kept until it is drawn. */
    public long bytes() {
        return size(request.init()) + size(request.mask()) + size(init) + size(mask);
    }

    private static long size(Picture picture) {
        return picture == null ? 0 : picture.rgb().length;
    }
}
