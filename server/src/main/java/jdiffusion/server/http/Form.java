package jdiffusion.server.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.eclipse.jetty.http.MultiPart;
import org.eclipse.jetty.http.MultiPartConfig;
import org.eclipse.jetty.http.MultiPartFormData;
import org.eclipse.jetty.io.Content;
import org.eclipse.jetty.util.Attributes;

/**
 * The parts of a multipart/form-data body (RFC 7578); names of files in it are not looked at.
 *
 * @param parts the bytes of all parts of a name
 */
public record Form(Map<String, List<byte[]>> parts) {
    private static final int MOST_PARTS = 100;
    private static final int LONGEST_HEADERS = 8192;

    static Form parse(String contentType, byte[] body) {
        MultiPartConfig config = new MultiPartConfig.Builder().maxParts(MOST_PARTS).maxHeadersSize(LONGEST_HEADERS)
                .maxSize(-1).maxPartSize(-1).maxMemoryPartSize(-1).useFilesForPartsWithoutFileName(false).build();
        Map<String, List<byte[]>> parts = new LinkedHashMap<>();
        try (MultiPartFormData.Parts all = MultiPartFormData.getParts(Content.Source.from(ByteBuffer.wrap(body)),
                new Attributes.Mapped(), contentType, config)) {
            for (MultiPart.Part part : all) {
                try (InputStream in = Content.Source.asInputStream(part.getContentSource())) {
                    parts.computeIfAbsent(part.getName() == null ? "" : part.getName(), _ -> new ArrayList<>())
                            .add(in.readAllBytes());
                }
            }
        } catch (IOException | RuntimeException e) {
            throw HttpError.badRequest("the form cannot be read: its parts are damaged, too many or cut off");
        }
        return new Form(parts);
    }

    /** The last text of that name; null for none. */
    public String text(String name) {
        List<byte[]> all = parts.get(name);
        return all == null ? null : new String(all.getLast(), StandardCharsets.UTF_8);
    }

    /** Its texts; what holds files is left out. */
    public ObjectNode texts(List<String> files) {
        ObjectNode json = Json.object();
        for (String name : parts.keySet()) {
            if (files.stream().noneMatch(file -> name.equals(file) || name.equals(file + "[]"))) {
                json.put(name, text(name));
            }
        }
        return json;
    }

    /** The parts of a name, or of the name with brackets; none where there is none. */
    public List<byte[]> files(String name) {
        List<byte[]> files = new ArrayList<>(parts.getOrDefault(name, List.of()));
        files.addAll(parts.getOrDefault(name + "[]", List.of()));
        return files;
    }
}
