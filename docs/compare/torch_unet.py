#!/usr/bin/env python3
"""Times PyTorch on the shapes of SDXL's UNet with random weights, to compare with `jdiffusion bench denoiser`.

usage: torch_unet.py [--size 1024] [--batch 2] [--runs 3] [--dtype bf16|f32] [--compile]

Shapes are those of the published UNet: widths 320, 640, 1280, two residual blocks and 0, 2, 10 transformer blocks at
each resolution, text of 77 x 2048. Activations are channels-last, which is the faster layout for PyTorch's
convolutions on CPUs; attention is scaled_dot_product_attention. Prints one line of JSON with the median.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = [320, 640, 1280]
DEPTHS = [0, 2, 10]
RESNETS = 2
TIME = 1280
CONTEXT = 2048
ADDED = 2816


class Resnet(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.norm1 = nn.GroupNorm(32, cin)
        self.conv1 = nn.Conv2d(cin, cout, 3, padding=1)
        self.time = nn.Linear(TIME, cout)
        self.norm2 = nn.GroupNorm(32, cout)
        self.conv2 = nn.Conv2d(cout, cout, 3, padding=1)
        self.shortcut = nn.Conv2d(cin, cout, 1) if cin != cout else nn.Identity()

    def forward(self, x, t):
        h = self.conv1(F.silu(self.norm1(x))) + self.time(t)[:, :, None, None]
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(h)))


class Attention(nn.Module):
    def __init__(self, d, context):
        super().__init__()
        self.heads = d // 64
        self.q = nn.Linear(d, d, bias=False)
        self.k = nn.Linear(context, d, bias=False)
        self.v = nn.Linear(context, d, bias=False)
        self.out = nn.Linear(d, d)

    def split(self, x):
        return x.view(x.shape[0], x.shape[1], self.heads, 64).transpose(1, 2)

    def forward(self, x, context):
        o = F.scaled_dot_product_attention(self.split(self.q(x)), self.split(self.k(context)),
                                           self.split(self.v(context)))
        return self.out(o.transpose(1, 2).reshape(x.shape))


class Block(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.norm1, self.norm2, self.norm3 = nn.LayerNorm(d), nn.LayerNorm(d), nn.LayerNorm(d)
        self.self_attention = Attention(d, d)
        self.cross_attention = Attention(d, CONTEXT)
        self.up = nn.Linear(d, 8 * d)
        self.down = nn.Linear(4 * d, d)

    def forward(self, x, context):
        y = self.norm1(x)
        x = x + self.self_attention(y, y)
        x = x + self.cross_attention(self.norm2(x), context)
        value, gate = self.up(self.norm3(x)).chunk(2, -1)
        return x + self.down(value * F.gelu(gate))


class Transformer(nn.Module):
    def __init__(self, d, depth):
        super().__init__()
        self.norm = nn.GroupNorm(32, d, eps=1e-6)
        self.proj_in, self.proj_out = nn.Linear(d, d), nn.Linear(d, d)
        self.blocks = nn.ModuleList(Block(d) for _ in range(depth))

    def forward(self, x, context):
        b, c, h, w = x.shape
        y = self.proj_in(self.norm(x).permute(0, 2, 3, 1).reshape(b, h * w, c))
        for block in self.blocks:
            y = block(y, context)
        return x + self.proj_out(y).view(b, h, w, c).permute(0, 3, 1, 2)


class Unet(nn.Module):
    def __init__(self):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(WIDTHS[0], TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.added = nn.Sequential(nn.Linear(ADDED, TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.conv_in = nn.Conv2d(4, WIDTHS[0], 3, padding=1)
        skips, cin = [WIDTHS[0]], WIDTHS[0]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for i, width in enumerate(WIDTHS):
            level = nn.ModuleDict(dict(resnets=nn.ModuleList(), transformers=nn.ModuleList()))
            for j in range(RESNETS):
                level["resnets"].append(Resnet(cin if j == 0 else width, width))
                if DEPTHS[i]:
                    level["transformers"].append(Transformer(width, DEPTHS[i]))
                skips.append(width)
            if i < len(WIDTHS) - 1:
                level["resize"] = nn.Conv2d(width, width, 3, stride=2, padding=1)
                skips.append(width)
            self.down.append(level)
            cin = width
        self.middle = nn.ModuleList([Resnet(cin, cin), Transformer(cin, DEPTHS[-1]), Resnet(cin, cin)])
        for i, width in reversed(list(enumerate(WIDTHS))):
            level = nn.ModuleDict(dict(resnets=nn.ModuleList(), transformers=nn.ModuleList()))
            for j in range(RESNETS + 1):
                level["resnets"].append(Resnet((cin if j == 0 else width) + skips.pop(), width))
                if DEPTHS[i]:
                    level["transformers"].append(Transformer(width, DEPTHS[i]))
            if i:
                level["resize"] = nn.Conv2d(width, width, 3, padding=1)
            self.up.append(level)
            cin = width
        self.norm = nn.GroupNorm(32, WIDTHS[0])
        self.conv_out = nn.Conv2d(WIDTHS[0], 4, 3, padding=1)

    def forward(self, x, sines, context, added):
        t = F.silu(self.time(sines) + self.added(added))
        x = self.conv_in(x)
        skips = [x]
        for level in self.down:
            for j, resnet in enumerate(level["resnets"]):
                x = resnet(x, t)
                if len(level["transformers"]):
                    x = level["transformers"][j](x, context)
                skips.append(x)
            if "resize" in level:
                x = level["resize"](x)
                skips.append(x)
        x = self.middle[2](self.middle[1](self.middle[0](x, t), context), t)
        for level in self.up:
            for j, resnet in enumerate(level["resnets"]):
                x = resnet(torch.cat([x, skips.pop()], 1), t)
                if len(level["transformers"]):
                    x = level["transformers"][j](x, context)
            if "resize" in level:
                x = level["resize"](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.conv_out(F.silu(self.norm(x)))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--size", type=int, default=1024)
    p.add_argument("--batch", type=int, default=2)
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--dtype", choices=["bf16", "f32"], default="bf16")
    p.add_argument("--compile", action="store_true")
    a = p.parse_args()
    torch.set_grad_enabled(False)
    dtype = torch.bfloat16 if a.dtype == "bf16" else torch.float32
    torch.set_default_dtype(dtype)
    unet = Unet().eval().to(memory_format=torch.channels_last)
    torch.set_default_dtype(torch.float32)
    parameters = sum(x.numel() for x in unet.parameters())
    side = a.size // 8
    inputs = [torch.randn(a.batch, 4, side, side).to(dtype).contiguous(memory_format=torch.channels_last),
              torch.randn(a.batch, WIDTHS[0]).to(dtype), torch.randn(a.batch, 77, CONTEXT).to(dtype),
              torch.randn(a.batch, ADDED).to(dtype)]
    run = torch.compile(unet) if a.compile else unet
    run(*inputs)
    times = []
    for _ in range(a.runs):
        start = time.perf_counter()
        run(*inputs)
        times.append(time.perf_counter() - start)
    print(json.dumps(dict(what="unet", size=a.size, batch=a.batch, parameters=parameters, compiled=a.compile,
                          dtype=a.dtype, threads=torch.get_num_threads(), seconds=round(statistics.median(times), 3),
                          least=round(min(times), 3))))


if __name__ == "__main__":
    main()
