package jdiffusion.model.settings;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.StringReader;
import javax.xml.stream.XMLInputFactory;
import javax.xml.stream.XMLStreamConstants;
import javax.xml.stream.XMLStreamException;
import javax.xml.stream.XMLStreamReader;
import jdiffusion.model.JsonTree;
import jdiffusion.model.family.PromptWeights;

/** Draw Things: JSON as the user's comment in an XMP packet, with the prompt as "c" and the negative one as "uc". */
final class DrawThings {
    private static final String XMP = "XML:com.adobe.xmp";
    private static final int MOST_PARTS = 10_000;

    private DrawThings() {
    }

    static FoundSettings read(PictureTexts texts) {
        String comment = texts.get(XMP) == null ? null : comment(texts.get(XMP));
        JsonNode json = comment == null ? null : JsonTree.readWhole(comment.strip());
        if (json == null || !json.has("c") || !json.has("sampler")) {
            return null;
        }
        Fields fields = new Fields(json);
        Finding found = new Finding(texts.file(), "Draw Things");
        found.prompt(fields.text("c"));
        found.negativePrompt(fields.text("uc"));
        found.steps(fields.text("steps"));
        found.guidance(fields.text("scale"));
        found.seed(fields.text("seed"));
        String size = fields.text("size");
        if (size != null) {
            found.size(size);
        }
        found.sampler(fields.text("sampler"));
        found.shift(fields.text("shift"));
        found.model(fields.text("model"));
        JsonNode loras = fields.node("lora");
        if (loras != null) {
            loras.forEach(lora -> found.lora(Fields.text(lora.get("model")), Fields.text(lora.get("weight"))));
        }
        // A picture that started from noise has the strength 1.
        String strength = fields.text("strength");
        if (strength != null && !strength.equals("1")) {
            found.init(strength);
        }
        JsonNode second = fields.node("v2"); // the same once more, and this
        found.embedded(second == null ? null : Fields.text(second.get("guidanceEmbed")));
        found.weights(PromptWeights.A1111);
        fields.rest(found);
        return found.done();
    }

    /** The text in exif:UserComment; null without. */
    private static String comment(String xmp) {
        XMLInputFactory factory = XMLInputFactory.newDefaultFactory();
        factory.setProperty(XMLInputFactory.SUPPORT_DTD, false);
        factory.setProperty(XMLInputFactory.IS_SUPPORTING_EXTERNAL_ENTITIES, false);
        StringBuilder text = new StringBuilder();
        boolean inside = false;
        try {
            XMLStreamReader in = factory.createXMLStreamReader(new StringReader(xmp));
            for (int i = 0; i < MOST_PARTS && in.hasNext(); i++) {
                int event = in.next();
                if (event == XMLStreamConstants.START_ELEMENT || event == XMLStreamConstants.END_ELEMENT) {
                    inside = in.getLocalName().equals("UserComment") ? event == XMLStreamConstants.START_ELEMENT
                            : inside;
                } else if (inside && event == XMLStreamConstants.CHARACTERS) {
                    text.append(in.getText());
                }
            }
        } catch (XMLStreamException _) {
            return null; // XMP of whatever other use
        }
        return text.isEmpty() ? null : text.toString();
    }
}
