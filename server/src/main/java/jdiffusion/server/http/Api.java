package jdiffusion.server.http;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** One of the interfaces that the server has, with its routes under a prefix of their own. */
public interface Api {
    /** In logs and metrics. */
    String name();

    /** What the paths of its routes begin with. */
    String prefix();

    /** The body of an answer that is an error. */
    ObjectNode error(HttpError error);

    void addTo(Routes routes);
}
