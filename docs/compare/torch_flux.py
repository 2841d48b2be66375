#!/usr/bin/env python3
"""Times PyTorch on one double and one single stream block of FLUX.1 with random weights, to compare with
`jdiffusion bench blocks --family flux-dev --size 1024 --text 512`.

usage: torch_flux.py [--size 1024] [--text 512] [--batch 1] [--runs 3] [--dtype bf16|f32] [--compile]

Shapes are those of the published transformer: width 3072, 24 heads of 128, MLPs four times as wide. q, k and v are one
product, as is the first layer of a single stream block; q and k are RMS-normalised per head and rotated in neighbouring
pairs; attention is scaled_dot_product_attention over text and image. Each block computes its modulation. Prints a line
of JSON with the median for each block, and one for both together.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

D = 3072
HEADS = 24
HEAD = D // HEADS
INNER = 4 * D
AXES = [16, 56, 56]


def rotations(text, rows, columns):
    """Cosines and sines [tokens, head / 2] for text at 0 and an image's rows and columns."""
    ids = torch.zeros(text + rows * columns, 3, dtype=torch.float64)
    ids[text:, 1] = torch.arange(rows).repeat_interleave(columns)
    ids[text:, 2] = torch.arange(columns).repeat(rows)
    angles = []
    for axis, channels in enumerate(AXES):
        frequencies = 10000.0 ** (-torch.arange(0, channels, 2, dtype=torch.float64) / channels)
        angles.append(ids[:, axis:axis + 1] * frequencies)
    angles = torch.cat(angles, 1)
    return angles.cos().float(), angles.sin().float()


def rotate(x, cos, sin):
    """Neighbouring pairs of [batch, heads, tokens, head], in float32 as the reference does."""
    y = x.float().unflatten(-1, (-1, 2))
    even, odd = y[..., 0], y[..., 1]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2).to(x.dtype)


def modulated(x, scale, shift):
    return F.layer_norm(x, (D,), eps=1e-6) * (1 + scale) + shift


class Qkv(nn.Module):
    def __init__(self):
        super().__init__()
        self.q_norm, self.k_norm = nn.RMSNorm(HEAD, eps=1e-6), nn.RMSNorm(HEAD, eps=1e-6)

    def forward(self, qkv):
        q, k, v = qkv.unflatten(-1, (3, HEADS, HEAD)).permute(2, 0, 3, 1, 4)
        return self.q_norm(q), self.k_norm(k), v


def attend(q, k, v, cos, sin):
    o = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
    return o.transpose(1, 2).flatten(-2)


class Half(nn.Module):
    def __init__(self):
        super().__init__()
        self.mod = nn.Linear(D, 6 * D)
        self.qkv, self.norm, self.proj = nn.Linear(D, 3 * D), Qkv(), nn.Linear(D, D)
        self.mlp = nn.Sequential(nn.Linear(D, INNER), nn.GELU(approximate="tanh"), nn.Linear(INNER, D))


class Double(nn.Module):
    def __init__(self):
        super().__init__()
        self.img, self.txt = Half(), Half()

    def forward(self, img, txt, vec, cos, sin):
        halves = [(self.txt, txt), (self.img, img)]
        mods = [half.mod(F.silu(vec))[:, None].chunk(6, -1) for half, _ in halves]
        qkv = [half.norm(half.qkv(modulated(x, m[1], m[0]))) for (half, x), m in zip(halves, mods)]
        o = attend(*[torch.cat([a, b], 2) for a, b in zip(*qkv)], cos, sin)
        parts = o.split([txt.shape[1], img.shape[1]], 1)
        out = []
        for (half, x), m, part in zip(halves, mods, parts):
            x = x + m[2] * half.proj(part)
            out.append(x + m[5] * half.mlp(modulated(x, m[4], m[3])))
        return out[1], out[0]


class Single(nn.Module):
    def __init__(self):
        super().__init__()
        self.mod = nn.Linear(D, 3 * D)
        self.linear1, self.linear2, self.norm = nn.Linear(D, 3 * D + INNER), nn.Linear(D + INNER, D), Qkv()

    def forward(self, x, vec, cos, sin):
        shift, scale, gate = self.mod(F.silu(vec))[:, None].chunk(3, -1)
        qkv, mlp = self.linear1(modulated(x, scale, shift)).split([3 * D, INNER], -1)
        o = attend(*self.norm(qkv), cos, sin)
        return x + gate * self.linear2(torch.cat([o, F.gelu(mlp, approximate="tanh")], -1))


def measured(run, runs):
    run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--size", type=int, default=1024)
    p.add_argument("--text", type=int, default=512)
    p.add_argument("--batch", type=int, default=1)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    p.add_argument("--compile", action="store_true")
    a = p.parse_args()
    torch.set_grad_enabled(False)
    dtype = torch.bfloat16 if a.dtype == "bf16" else torch.float32
    torch.set_default_dtype(dtype)
    double, single = Double().eval(), Single().eval()
    torch.set_default_dtype(torch.float32)
    side = a.size // 16
    cos, sin = rotations(a.text, side, side)
    img = torch.randn(a.batch, side * side, D).to(dtype)
    txt = torch.randn(a.batch, a.text, D).to(dtype)
    both = torch.cat([txt, img], 1)
    vec = torch.randn(a.batch, D).to(dtype)
    if a.compile:
        double, single = torch.compile(double), torch.compile(single)
    common = dict(size=a.size, text=a.text, batch=a.batch, compiled=a.compile, dtype=a.dtype,
                  threads=torch.get_num_threads())
    of_double = measured(lambda: double(img, txt, vec, cos, sin), a.runs)
    of_single = measured(lambda: single(both, vec, cos, sin), a.runs)
    for what, times in [("double stream block", of_double), ("single stream block", of_single),
                        ("both", [x + y for x, y in zip(of_double, of_single)])]:
        print(json.dumps(dict(what=what, seconds=round(statistics.median(times), 3), least=round(min(times), 3),
                              **common)))


if __name__ == "__main__":
    main()
