package jdiffusion.model.tokenizer;

/** File names of a tokenizer folder as published with checkpoints. */
final class Names {
    static final String CONFIG = "tokenizer_config.json";
    static final String SPECIAL = "special_tokens_map.json";
    static final String JSON = "tokenizer.json";
    static final String VOCAB = "vocab.json";
    static final String MERGES = "merges.txt";
    static final String SENTENCEPIECE = "spiece.model";
    static final String CLIP = "vocab.json with merges.txt (or tokenizer.json)";
    static final String T5 = "spiece.model (or tokenizer.json)";
    static final String ANY = "vocab.json with merges.txt, spiece.model, or tokenizer.json";

    private Names() {
    }
}
