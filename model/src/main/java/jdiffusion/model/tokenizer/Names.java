package jdiffusion.model.tokenizer;

/** File names of a tokenizer folder as published with checkpoints, and how large such files may be. */
final class Names {
    static final String CONFIG = "tokenizer_config.json";
    static final String SPECIAL = "special_tokens_map.json";
    static final String JSON = "tokenizer.json";
    static final String VOCAB = "vocab.json";
    static final String MERGES = "merges.txt";
    static final String SENTENCEPIECE = "spiece.model";
    /** Of a SentencePiece model, too. */
    static final String LLAMA_MODEL = "tokenizer.model";
    static final String GGUF = ".gguf";
    static final String CLIP = "vocab.json with merges.txt (or tokenizer.json)";
    static final String T5 = "spiece.model (or tokenizer.json)";
    static final String LLAMA = "tokenizer.model (or tokenizer.json)";
    static final String ANY = "vocab.json with merges.txt, spiece.model, tokenizer.model, or tokenizer.json";

    /** Published vocabularies stay under 4 MiB. */
    static final int VOCABULARY_LIMIT = 16 << 20;
    static final int SETTINGS_LIMIT = 4 << 20;

    private Names() {
    }
}
