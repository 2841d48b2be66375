package jdiffusion.model.synthetic;

import jdiffusion.model.synthetic.SyntheticModel.Vocabularies;

/** A published model whose shapes can be made. */
public interface SyntheticKind {
    /** Its name on the command line, without dots: sd35-medium. */
    String label();

    /** The published sizes. */
    SyntheticModel full();

    /** Small sizes of the same structure, which compute in a moment. */
    SyntheticModel tiny(Vocabularies vocabularies);
}
