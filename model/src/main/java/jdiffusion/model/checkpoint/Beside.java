package jdiffusion.model.checkpoint;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import jdiffusion.tensor.InputException;
import jdiffusion.tensor.TensorSource;

/** Looks for the components that a file of a denoiser lacks, in the folders where programs keep them. */
final class Beside {
    /** Folders as Stability, ComfyUI and diffusers name them, seen from the folder of the denoiser. */
    private static final List<String> USUAL = List.of("", "text_encoders", "clip", "vae", "../text_encoders", "../clip",
            "../vae", "../../text_encoders", "../../clip", "../../vae", "../text_encoder", "../text_encoder_2",
            "../text_encoder_3");
    /** Files looked into in one folder. */
    private static final int MOST_FILES = 200;

    private final Path folder;
    private final Architecture architecture;
    private final TensorSource denoiser;
    private final Map<Path, Map<Component, ComponentFile>> peeked = new HashMap<>();
    /** Notes on what files hold that nothing here needs. */
    private final Map<Path, String> asides = new HashMap<>();
    private final List<String> notes;

    /**
     * @param denoiser under diffusers' names
     * @param notes    told of choices
     */
    Beside(Path folder, Architecture architecture, TensorSource denoiser, List<String> notes) {
        this.folder = folder;
        this.architecture = architecture;
        this.denoiser = denoiser;
        this.notes = notes;
    }

    /** The folders that were looked into, for messages. */
    List<Path> usualFolders() {
        return USUAL.stream().map(name -> folder.resolve(name).normalize()).filter(Files::isDirectory).distinct()
                .toList();
    }

    /** Folders below the denoiser's, which may hold whole models. */
    List<Path> foldersBelow() {
        try (Stream<Path> entries = Files.list(folder)) {
            return entries.filter(Files::isDirectory).sorted().toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** The component's file; null when none is found. */
    ComponentFile find(Component component) {
        ComponentFile found = search(component);
        if (found != null && asides.containsKey(found.file())) {
            notes.add(asides.remove(found.file()));
        }
        return found;
    }

    private ComponentFile search(Component component) {
        List<Path> usual = usualFolders();
        ComponentFile found = first(component, usual, true);
        if (found == null) {
            found = first(component, usual, false);
        }
        if (found == null) {
            found = below(component);
        }
        return found;
    }

    /** From the first of the folders below that has one. */
    private ComponentFile below(Component component) {
        List<Path> folders = foldersBelow().stream()
                .flatMap(f -> Stream.of(f, f.resolve(architecture.folder(component))))
                .filter(Files::isDirectory).filter(place -> files(place).stream()
                        .anyMatch(file -> isNamed(file, component) && peek(file).containsKey(component))).toList();
        if (folders.isEmpty()) {
            return null;
        }
        ComponentFile found = first(component, folders.subList(0, 1), true);
        notes.add(component.label() + " is taken from " + found.file() + (folders.size() == 1 ? ""
                : ", the first by name of the folders that have one, not from " + folders.stream().skip(1)
                        .map(Path::toString).collect(Collectors.joining(", ")) + "; choose with " + option(component)));
        return found;
    }

    private ComponentFile first(Component component, List<Path> folders, boolean byName) {
        for (Path place : folders) {
            List<ComponentFile> all = new ArrayList<>();
            for (Path file : files(place)) {
                if (isNamed(file, component) == byName) {
                    ComponentFile candidate = peek(file).get(component);
                    if (candidate != null) {
                        all.add(candidate);
                    }
                }
            }
            all.sort(Comparator.comparingInt((ComponentFile c) -> rank(c.file()))
                    .thenComparing(c -> c.file().toString()));
            if (!all.isEmpty()) {
                if (all.size() > 1) {
                    notes.add(component.label() + " is taken from " + all.getFirst().file() + ", not from "
                            + all.stream().skip(1).map(c -> c.file().getFileName().toString())
                                    .collect(Collectors.joining(", ")) + "; choose with " + option(component));
                }
                return all.getFirst();
            }
        }
        return null;
    }

    private static List<Path> files(Path place) {
        try (Stream<Path> entries = Files.list(place)) {
            return entries.filter(WeightsFile::isWhole).sorted().limit(MOST_FILES).toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /** Whether file or folder have the component's usual name. */
    private boolean isNamed(Path file, Component component) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        Path parent = file.toAbsolutePath().normalize().getParent();
        boolean inFolder = parent != null && parent.endsWith(architecture.folder(component));
        return inFolder || switch (component) {
            case CLIP_L -> name.matches("clip[-_]?l(?![a-z]).*");
            case CLIP_G -> name.matches("clip[-_]?g(?![a-z]).*");
            case T5 -> name.contains("t5") && !name.contains("umt5");
            case VAE -> name.contains("vae") || name.matches("ae(?![a-z]).*");
            case DENOISER -> false;
        };
    }

    /** Plain 16 bits first, then what is rounded more and more. */
    private static int rank(Path file) {
        String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
        return name.endsWith(WeightsFile.GGUF) ? 4 : !name.contains("fp8") && !name.contains("f8") ? 1
                : name.contains("scaled") ? 2 : 3;
    }

    /** What a file holds that could serve this denoiser; nothing for a whole model, a foreign or a damaged file. */
    private Map<Component, ComponentFile> peek(Path file) {
        return peeked.computeIfAbsent(file, _ -> {
            try (WeightsFile weights = WeightsFile.open(file)) {
                Contents contents = Contents.of(weights.tensors(), place(file), architecture);
                if (contents.parts().containsKey(Component.DENOISER)) {
                    return Map.of();
                }
                Map<Component, ComponentFile> found = components(file, architecture, contents);
                found.values().removeIf(c -> !architecture.fits(c.component(),
                        c.tensors(weights.tensors()), denoiser));
                String aside = contents.aside().note(file.getFileName().toString());
                if (aside != null) {
                    asides.put(file, aside);
                }
                return found;
            } catch (InputException e) {
                return Map.of();
            }
        });
    }

    /** All that a file holds. */
    static Map<Component, ComponentFile> components(Path file, Architecture architecture, Contents contents) {
        Map<Component, ComponentFile> all = new HashMap<>();
        boolean alone = contents.parts().size() == 1;
        contents.parts().forEach((component, part) ->
                all.put(component, new ComponentFile(architecture, component, file, part, alone)));
        return all;
    }

    /** The part of a path by which CLIP-L and CLIP-G can be told apart. */
    static String place(Path file) {
        Path parent = file.toAbsolutePath().normalize().getParent();
        return (parent == null || parent.getFileName() == null ? "" : parent.getFileName() + "/") + file.getFileName();
    }

    /** The command line's option for a component's file. */
    static String option(Component component) {
        return switch (component) {
            case CLIP_L -> "--clip-l";
            case CLIP_G -> "--clip-g";
            case T5 -> "--t5xxl";
            case VAE -> "--vae";
            case DENOISER -> "--diffusion-model";
        };
    }

    /** File names to look for, for messages. */
    static String usualName(Component component) {
        return switch (component) {
            case CLIP_L -> "clip_l.safetensors";
            case CLIP_G -> "clip_g.safetensors";
            case T5 -> "t5xxl.safetensors (or t5xxl_fp16, t5xxl_fp8_e4m3fn, a GGUF file)";
            case VAE -> "a VAE file (its name with vae or ae)";
            case DENOISER -> "the denoiser's file";
        };
    }
}
