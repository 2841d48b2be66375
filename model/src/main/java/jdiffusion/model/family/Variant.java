package jdiffusion.model.family;

/**
 * A published model of a family, with the settings that its card and pipeline name.
 *
 * @param name     on the command line
 * @param label    in messages
 * @param steps    usual steps
 * @param guidance usual guidance scale; 1 or less where it was trained to need none
 * @param size     pixels of a side of its usual picture; 0 for what its configuration or tensors say
 */
public record Variant(String name, String label, int steps, float guidance, int size) {
    /** One whose files say the size of its pictures. */
    public Variant(String name, String label, int steps, float guidance) {
        this(name, label, steps, guidance, 0);
    }
}
