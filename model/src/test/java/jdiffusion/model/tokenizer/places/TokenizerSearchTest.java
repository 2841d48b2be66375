package jdiffusion.model.tokenizer.places;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.model.TestData;
import jdiffusion.model.tokenizer.TokenizerKind;
import jdiffusion.tensor.InputException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Where vocabularies are found, in which order, and what is left aside. */
@Timeout(60)
class TokenizerSearchTest {
    private static final Need CLIP = new Need("CLIP-L", "tokenizer", TokenizerKind.CLIP, true, 1024);
    private static final Need T5 = new Need("T5", "tokenizer_3", TokenizerKind.T5, false, 888);

    @TempDir
    private Path folder;

    private Path hub() {
        return folder.resolve("hub");
    }

    private List<Looked> find(Need need, Place... first) {
        List<Place> places = new ArrayList<>(List.of(first));
        places.addAll(Place.of(new UserPlaces(folder.resolve("own"), hub())));
        return new TokenizerSearch(places).find(need);
    }

    private static void assertFound(List<Looked> looked, Path path) {
        assertThat(looked).isNotEmpty();
        assertThat(looked.getLast().fault()).isEmpty();
        assertThat(looked.getLast().file().path()).isEqualTo(path);
    }

    @Test
    void aSnapshotOfTheCache() throws IOException {
        Path clip = Vocabularies.cached(hub(), "openai/clip-vit-large-patch14", "32bd",
                Vocabularies.clip(folder.resolve("a")));
        Path t5 = Vocabularies.cached(hub(), "google/t5-v1_1-xxl", "3db6", Vocabularies.t5(folder.resolve("b")));
        assertThat(Files.isSymbolicLink(clip.resolve("vocab.json"))).isTrue();
        assertFound(find(CLIP), clip);
        assertFound(find(T5), t5);
        assertThat(find(CLIP).getLast().place()).isEqualTo("in Hugging Face's cache");
        assertThat(find(T5).getLast().tokenizer().encode("a red circle")).isEqualTo(
                jdiffusion.model.tokenizer.Tokenizer.load(TestData.defaultModel().resolve("tokenizer_3"))
                        .encode("a red circle"));
    }

    /** A pipeline in the cache has its tokenizers in folders; the repository of the published vocabulary is first. */
    @Test
    void foldersOfAPipelineInTheCache() throws IOException {
        Path pipeline = hub().resolve("models--a--sd3/snapshots/1");
        Vocabularies.clip(pipeline.resolve("tokenizer"));
        Vocabularies.t5(pipeline.resolve("tokenizer_3"));
        assertFound(find(CLIP), pipeline.resolve("tokenizer"));
        assertFound(find(T5), pipeline.resolve("tokenizer_3"));
        Path published = Vocabularies.clip(hub().resolve("models--openai--clip-vit-large-patch14/snapshots/2"));
        assertFound(find(CLIP), published);
        assertThat(new TokenizerSearch(Place.of(new UserPlaces(null, hub()))).all(CLIP)).hasSize(2)
                .allMatch(Looked::fits);
    }

    @Test
    void theNewestRevisionFirst() throws IOException {
        Path repository = hub().resolve("models--x--clip");
        Vocabularies.clip(repository.resolve("snapshots/1"));
        Vocabularies.clip(repository.resolve("snapshots/2"));
        Files.createDirectories(repository.resolve("refs"));
        Files.writeString(repository.resolve("refs/main"), "2\n");
        assertFound(find(CLIP), repository.resolve("snapshots/2"));
        Files.writeString(repository.resolve("refs/main"), "gone");
        assertFound(find(CLIP), repository.resolve("snapshots/1"));
    }

    @Test
    void brokenLinksAndWrongSizesAreLeftAside() throws IOException {
        Path broken = hub().resolve("models--a--a/snapshots/1");
        Files.createDirectories(broken);
        Files.createSymbolicLink(broken.resolve("vocab.json"), Path.of("../../blobs/gone"));
        Files.createSymbolicLink(broken.resolve("merges.txt"), Path.of("../../blobs/gone"));
        Path good = Vocabularies.clip(hub().resolve("models--b--b/snapshots/1"));
        List<Looked> looked = find(CLIP);
        assertFound(looked, good);
        assertThat(looked).hasSize(2);
        assertThat(looked.getFirst().fault()).contains("vocab.json", "is a link to a file that is not there");
        List<Looked> other = find(new Need("CLIP-L", "tokenizer", TokenizerKind.CLIP, true, 49408));
        assertThat(other).noneMatch(Looked::fits);
        assertThat(other.getLast().fault()).contains(good.toString(),
                "its vocabulary has 1024 tokens, which does not fit the 49408 rows of CLIP-L's table");
    }

    /** Tables are filled up to the next multiple of 128. */
    @Test
    void howWellASizeHasToFit() {
        Need need = new Need("T5", "tokenizer_3", TokenizerKind.T5, false, 32128);
        assertThat(need.misfit(32100)).isEmpty();
        assertThat(need.misfit(32000)).isEmpty();
        assertThat(need.misfit(32128)).isEmpty();
        assertThat(need.misfit(31999)).isNotEmpty();
        assertThat(need.misfit(32129)).isNotEmpty();
        assertThat(new Need("T5", "tokenizer_3", TokenizerKind.T5, false, 0).misfit(5)).isEmpty();
    }

    /** As large as the published one, but another: left aside where it may belong to any model. */
    @Test
    void anotherVocabularyOfThePublishedSize() throws IOException {
        Path clip = Files.createDirectories(hub().resolve("models--x--y/snapshots/1"));
        String vocab = Files.readString(TestData.defaultModel().resolve("tokenizer/vocab.json")).strip();
        StringBuilder more = new StringBuilder(vocab.substring(0, vocab.length() - 1));
        for (int id = 1024; id < 49408; id++) {
            more.append(", \"<more").append(id).append(">\": ").append(id);
        }
        Files.writeString(clip.resolve("vocab.json"), more.append("}"));
        Files.copy(TestData.defaultModel().resolve("tokenizer/merges.txt"), clip.resolve("merges.txt"));
        Need need = new Need("CLIP-L", "tokenizer", TokenizerKind.CLIP, true, 49408);
        assertThat(find(need)).singleElement().satisfies(looked -> assertThat(looked.fault())
                .contains("as large as that of published encoders, but it is another one"));
        assertFound(find(need, Place.beside(List.of(clip))), clip);
    }

    @Test
    void theModelsOwnFirstThenThePlacesOfOthers() throws IOException {
        Path cached = Vocabularies.clip(hub().resolve("models--x--y/snapshots/1"));
        Path comfy = folder.resolve("ComfyUI");
        Path model = Files.createDirectories(comfy.resolve("models/checkpoints")).resolve("sd3.safetensors");
        Files.createFile(model);
        assertFound(find(CLIP, Place.beside(List.of(model.getParent())), Place.program(model)), cached);
        Path own = Vocabularies.clip(folder.resolve("own"));
        assertFound(find(CLIP, Place.beside(List.of(model.getParent())), Place.program(model)), own);
        Path program = Vocabularies.clip(comfy.resolve("comfy/sd1_tokenizer"));
        assertFound(find(CLIP, Place.beside(List.of(model.getParent())), Place.program(model)), program);
        Path beside = Vocabularies.clip(model.resolveSibling("tokenizer"));
        assertFound(find(CLIP, Place.beside(List.of(model.getParent())), Place.program(model)), beside);
        Path given = Vocabularies.clip(folder.resolve("given"));
        assertFound(find(CLIP, Place.given(given), Place.beside(List.of(model.getParent()))), given);
        assertFound(find(CLIP, Place.given(comfy)), program);
    }

    /** What the user names must serve, unless it has nothing of the kind. */
    @Test
    void aGivenFolder() throws IOException {
        Path cached = Vocabularies.t5(hub().resolve("models--x--y/snapshots/1"));
        Path given = Vocabularies.clip(folder.resolve("given"));
        assertFound(find(T5, Place.given(given)), cached);
        Vocabularies.t5(given.resolve("t5"));
        Need larger = new Need("T5", "tokenizer_3", TokenizerKind.T5, false, 32128);
        assertThatThrownBy(() -> find(larger, Place.given(given))).isInstanceOf(InputException.class)
                .hasMessageContainingAll("no tokenizer for T5 given with --tokenizer " + given, "has 982 tokens",
                        "32128 rows");
    }

    @Test
    void programsThatHaveTokenizers() throws IOException {
        for (String[] tree : new String[][] {
            {"comfy/text_encoders/t5_tokenizer", "models/checkpoints"},
            {"ComfyUI/comfy/text_encoders/t5_tokenizer", "models/unet"},
            {"dlbackend/comfy/ComfyUI/comfy/text_encoders/t5_tokenizer", "Models/Stable-Diffusion"},
            {"Packages/ComfyUI/comfy/text_encoders/t5_tokenizer", "Models/StableDiffusion"},
            {"backend/huggingface/stabilityai/stable-diffusion-3.5-large/tokenizer_3", "models/Stable-diffusion"},
            {"configs/sd3/tokenizer_3", "models/Stable-diffusion"}}) {
            Path root = folder.resolve(tree[0].replace('/', '-'));
            Path tokenizer = Vocabularies.t5(root.resolve(tree[0]));
            Path model = Files.createDirectories(root.resolve(tree[1])).resolve("x.safetensors");
            Files.createFile(model);
            assertFound(find(T5, Place.program(model)), tokenizer);
            // A link from elsewhere into the program's folder.
            Path link = Files.createSymbolicLink(folder.resolve("link"), model);
            assertFound(find(T5, Place.program(link)), tokenizer);
            Files.delete(link);
        }
    }

    @Test
    void circlesAndFoldersThatMayNotBeRead() throws IOException {
        Files.createDirectories(hub());
        Files.createSymbolicLink(hub().resolve("models--a--a"), hub());
        Files.createSymbolicLink(hub().resolve("models--b--b"), Path.of("models--b--b"));
        Path snapshots = Files.createDirectories(hub().resolve("models--c--c/snapshots"));
        Files.createSymbolicLink(snapshots.resolve("1"), snapshots);
        Path closed = Files.createDirectories(hub().resolve("models--d--d/snapshots"));
        Files.createFile(hub().resolve("models--e--e"));
        assumeTrue(Files.getFileStore(folder).supportsFileAttributeView("posix"), "no POSIX permissions");
        Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("---------"));
        try {
            assertThat(find(CLIP)).isEmpty();
            Path good = Vocabularies.clip(hub().resolve("models--z--z/snapshots/1"));
            assertFound(find(CLIP), good);
        } finally {
            Files.setPosixFilePermissions(closed, PosixFilePermissions.fromString("rwx------"));
        }
    }

    @Test
    void noCacheAtAll() {
        assertThat(find(CLIP)).isEmpty();
        assertThat(new TokenizerSearch(Place.of(UserPlaces.NONE)).find(CLIP)).isEmpty();
    }

    /** Places behind the first that fits are not asked. */
    @Test
    void nothingIsLookedForInVain() throws IOException {
        Path beside = Vocabularies.clip(folder.resolve("beside"));
        Place untouched = new Place("never", "never", false, true, _ -> {
            throw new AssertionError("asked");
        }, List.of());
        assertThat(new TokenizerSearch(List.of(Place.beside(List.of(beside)), untouched)).find(CLIP)).hasSize(1);
    }

    /** Other vocabularies than CLIP's and T5's lie in most caches. */
    @Test
    void vocabulariesOfOtherModels() throws IOException {
        Path bert = Files.createDirectories(hub().resolve("models--bert/snapshots/1"));
        Files.writeString(bert.resolve("tokenizer.json"), "{\"model\": {\"type\": \"WordPiece\", \"vocab\": {}}}");
        Path gpt = Files.createDirectories(hub().resolve("models--gpt2/snapshots/1"));
        Files.writeString(gpt.resolve("vocab.json"), "{\"a\": 0, \"b\": 1, \"ab\": 2}");
        Files.writeString(gpt.resolve("merges.txt"), "a b\n");
        assertThat(find(CLIP)).hasSize(2).noneMatch(Looked::fits);
        String message = new TokenizerSearch(Place.of(new UserPlaces(null, hub()))).missing(CLIP, find(CLIP));
        assertThat(message).contains("no tokenizer for CLIP-L", "in Hugging Face's cache (" + hub() + ")",
                "model of type \"WordPiece\"", "<|startoftext|>", "this model's own tokenizer, of 1024 tokens")
                .doesNotContain("\n");
        Need published = new Need("CLIP-L", "tokenizer", TokenizerKind.CLIP, true, 49408);
        assertThat(new TokenizerSearch(List.of()).missing(published, List.of())).contains("vocab.json and merges.txt"
                + " of https://huggingface.co/openai/clip-vit-large-patch14, and spiece.model of"
                + " https://huggingface.co/google/t5-v1_1-xxl", "docs/tokenizers.md", "--tokenizer");
    }

    /** A cache as large as one gets, most of it of no use. */
    @Test
    void aLargeCache() throws IOException {
        for (int i = 0; i < 300; i++) {
            Path revision = Files.createDirectories(hub().resolve("models--x--m" + i + "/snapshots/1"));
            Files.writeString(revision.resolve("vocab.json"), "{}");
            Files.writeString(revision.resolve("merges.txt"), "");
        }
        assertThat(find(CLIP)).hasSize(64).noneMatch(Looked::fits);
        Path published = Vocabularies.clip(hub().resolve("models--openai--clip-vit-large-patch14/snapshots/2"));
        assertFound(find(CLIP), published);
    }
}
