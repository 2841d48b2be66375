package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdiffusion.tensor.InputException;

/** Reads how a picture was drawn from its file, whichever of the known programs wrote it. */
public final class SettingsReader {
    /** The form of one program. */
    @FunctionalInterface
    private interface Format {
        /** Null when the file is not of that program. */
        FoundSettings read(PictureTexts texts);
    }

    /** Those first whose texts say more than others': many write ComfyUI's graph besides their own. */
    private static final List<Format> FORMATS = List.of(SwarmUi::read, Fooocus::read, A1111::read, InvokeAi::read,
            NovelAi::read, EasyDiffusion::read, ComfyUi::read, DrawThings::read);

    private SettingsReader() {
    }

    /**
     * The settings in a PNG file's texts, or in the EXIF block of a JPEG or WebP file.
     *
     * @throws InputException when there are none, or none that can be read
     */
    public static FoundSettings read(Path file) {
        PictureTexts texts = PictureTexts.of(file);
        for (Format format : FORMATS) {
            FoundSettings found = format.read(texts);
            if (found != null) {
                return texts.repeated() == null ? found : noted(found, file + " has several texts named '"
                        + InputException.shown(texts.repeated()) + "'; the last one is used");
            }
        }
        String text = texts.get(PictureTexts.PARAMETERS);
        if (text != null) {
            JsonNode json = texts.json(PictureTexts.PARAMETERS);
            throw new InputException(file + ": its settings are JSON " + (json == null ? "that is damaged"
                    : "of a program that is not known") + " (" + InputException.shown(text)
                    + "); give them as options instead of --from");
        }
        throw new InputException(file + ": the picture carries no settings (a PNG text named '"
                + PictureTexts.PARAMETERS + "', or those of another known program)" + (texts.texts().isEmpty() ? ""
                : "; its texts are named " + InputException.shown(String.join(", ", texts.texts().keySet()))));
    }

    private static FoundSettings noted(FoundSettings f, String note) {
        List<String> notes = new ArrayList<>(f.notes());
        notes.add(note);
        return new FoundSettings(f.tool(), f.prompt(), f.negativePrompt(), f.steps(), f.guidance(), f.seed(), f.width(),
                f.height(), f.sampler(), f.schedule(), f.shift(), f.model(), f.strength(), f.hasInit(), f.hasMask(),
                f.more(), notes);
    }
}
