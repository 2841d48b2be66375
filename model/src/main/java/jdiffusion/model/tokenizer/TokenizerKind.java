package jdiffusion.model.tokenizer;

import java.util.Arrays;

/** The kinds of tokenizer that are known, with the vocabulary that published encoders of each have. */
public enum TokenizerKind {
    /** Byte pairs of lower-case words, of CLIP-L and CLIP-G. */
    CLIP("CLIP's byte pairs", Names.CLIP, "vocab.json and merges.txt", "openai/clip-vit-large-patch14", 49408,
            "a photo of a cat", 49406, 320, 1125, 539, 320, 2368, 49407),
    /** The most probable pieces of words, of T5. */
    T5("T5's unigrams", Names.T5, "spiece.model", "google/t5-v1_1-xxl", 32128,
            "translate English to German: The house is wonderful.", 13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5,
            1),
    /** Byte pairs across words, with bytes for rare characters, of Pile-T5. */
    LLAMA("Llama's byte pairs", Names.LLAMA, "tokenizer/tokenizer.json", "fal/AuraFlow", 32128, "Hello world", 15043,
            3186, 2);

    private final String label;
    private final String files;
    private final String published;
    private final String repository;
    private final int rows;
    private final String text;
    private final int[] ids;

    TokenizerKind(String label, String files, String published, String repository, int rows, String text,
            int... ids) {
        this.label = label;
        this.files = files;
        this.published = published;
        this.repository = repository;
        this.rows = rows;
        this.text = text;
        this.ids = ids;
    }

    /** What it is called in messages. */
    public String label() {
        return label;
    }

    /** The files that it can be read from. */
    public String files() {
        return files;
    }

    /** The smallest files with the published vocabulary. */
    public String publishedFiles() {
        return published;
    }

    /** The repository on huggingface.co that has them, for everybody. */
    public String repository() {
        return repository;
    }

    /** Whether a table of so many rows is that of the published encoders. */
    public boolean isPublished(int tableRows) {
        return tableRows == rows;
    }

    /**
     * Whether this is the published vocabulary, and not another one of its size: a sentence gives the ids that the
     * documentation of transformers gives.
     */
    public boolean isPublished(Tokenizer tokenizer) {
        return Arrays.equals(tokenizer.encode(text), ids);
    }
}
