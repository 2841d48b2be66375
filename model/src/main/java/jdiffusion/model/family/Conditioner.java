package jdiffusion.model.family;

import java.util.List;
import jdiffusion.model.checkpoint.Component;
import jdiffusion.model.embedding.TextualInversion;
import jdiffusion.model.stage.StageMemory;
import jdiffusion.model.tokenizer.Tokens;

/**
 * Requests to conditionings, with the text encoders of a family, one after the other: each one's weights are open only
 * while it runs.
 */
public interface Conditioner {
    /** Told of what each encoder could not take in, and of the memory it used. */
    interface Listener {
        /** @param tokens ids and what was cut off, of one prompt for one encoder */
        default void tokenized(Component encoder, String prompt, Tokens tokens) {
        }

        /** A textual inversion that a prompt names has nothing for an encoder, whose text goes without it. */
        default void without(Component encoder, TextualInversion inversion) {
        }

        /** One encoder is done. */
        default void encoded(StageMemory memory) {
        }
    }

    /**
     * Fails, before anything is computed, when the encoders and tokenizers that a request needs are not there, or do
     * not belong to the denoiser; or when the request asks something of the text that the family cannot do.
     *
     * @param encoders whether the encoders will run at all; if not, only the request is looked at
     */
    void check(GenerationRequest request, boolean encoders);

    /** The encoders that a request needs, kept on the device if nothing is offloaded. */
    void hold(GenerationRequest request);

    /**
     * A request whose text is to be encoded.
     *
     * @param both the negative prompt too, which only guidance needs
     */
    record Asked(GenerationRequest request, boolean both) {
        /** The negative prompt, if it is wanted, and the prompt. */
        public List<String> prompts() {
            return both ? List.of(request.negativeText(), request.prompt()) : List.of(request.prompt());
        }
    }

    /**
     * The conditionings of the negative prompt, where it is wanted, and of the prompt, in this order: of each request
     * those that it gets alone. Each encoder's weights are opened once.
     */
    List<List<Conditioning>> encode(List<Asked> requests, Listener listener);

    /** The same of one request. */
    default List<Conditioning> encode(GenerationRequest request, boolean both, Listener listener) {
        return encode(List.of(new Asked(request, both)), listener).getFirst();
    }

    /** Whether conditionings depend on the size of what is drawn, or on whether there is a picture to start from. */
    default boolean readsSize() {
        return false;
    }
}
