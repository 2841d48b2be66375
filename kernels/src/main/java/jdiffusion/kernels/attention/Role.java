package jdiffusion.kernels.attention;

import jdiffusion.tensor.Tensor;

/** One of the three inputs of attention, and what is done to it before the products. */
enum Role {
    Q, K, V;

    Tensor of(AttentionStream stream) {
        return switch (this) {
            case Q -> stream.q();
            case K -> stream.k();
            case V -> stream.v();
        };
    }

    /** The weight of its RMS norm, or null. */
    Tensor norm(AttentionStream stream) {
        return switch (this) {
            case Q -> stream.qNorm();
            case K -> stream.kNorm();
            case V -> null;
        };
    }

    /** Its rotary table, or null. */
    Tensor rotary(AttentionStream stream) {
        return this == V ? null : stream.rotary();
    }
}
