package jdiffusion.model.checkpoint;

import jdiffusion.model.checkpoint.names.Naming;

/**
 * What the files of a family's ControlNets are like.
 *
 * @param naming  of the publisher's files
 * @param mark    a tensor that all of them have under diffusers' names
 * @param anyKind a tensor of those that read whatever picture they were trained with, so that its kind need not be
 *                known
 */
public record ControlNetFormat(Naming naming, String mark, String anyKind) {
}
