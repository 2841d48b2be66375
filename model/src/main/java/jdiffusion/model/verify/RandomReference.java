package jdiffusion.model.verify;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdiffusion.model.reference.Comparison;
import jdiffusion.model.sampling.TorchRandom;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.Tensor;
import jdiffusion.tensor.safetensors.SafetensorsFile;

/** torch's normal numbers, which must be equal: {@code seedS.nN} are the first N of seed S. */
final class RandomReference {
    private static final Pattern NAME = Pattern.compile("seed(\\d{1,20})\\.n(\\d{1,9})");

    private RandomReference() {
    }

    static List<Comparison> check(Path file) {
        List<Comparison> all = new ArrayList<>();
        try (SafetensorsFile io = SafetensorsFile.open(file)) {
            for (String name : io.names()) {
                Matcher matcher = NAME.matcher(name);
                Tensor expected = io.find(name);
                if (!matcher.matches() || Long.parseLong(matcher.group(2)) != expected.shape().size()) {
                    throw new InputException(file + ": " + name + " " + expected.shape()
                            + " is no draw; seedS.nN with N numbers is expected");
                }
                float[] drawn = new float[Math.toIntExact(expected.shape().size())];
                new TorchRandom(Long.parseUnsignedLong(matcher.group(1))).normals(drawn);
                all.add(Comparison.of(file.getParent().toString(), name, expected.shape(), drawn, expected.toArray(),
                        0));
            }
        }
        return all;
    }
}
