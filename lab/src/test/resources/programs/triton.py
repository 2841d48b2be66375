import triton
import triton.language as tl


@triton.jit
def triton_add(x, y, out, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    tl.store(out + at, tl.load(x + at, mask=inside) + tl.load(y + at, mask=inside), mask=inside)


@triton.jit
def triton_softmax(x, out, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    v = tl.load(x + row * columns + at, mask=at < columns, other=-float('inf'))
    e = tl.exp(v - tl.max(v, axis=0))
    tl.store(out + row * columns + at, e / tl.sum(e, axis=0), mask=at < columns)


@triton.jit
def triton_matmul(a, b, c, M, N, K, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    columns = tl.program_id(1) * BN + tl.arange(0, BN)
    k = tl.arange(0, BK)
    left = a + rows[:, None] * K + k[None, :]
    right = b + k[:, None] * N + columns[None, :]
    sum = tl.zeros((BM, BN), dtype=tl.float32)
    for _ in range(0, K, BK):
        sum = tl.dot(tl.load(left), tl.load(right), sum)
        left += BK
        right += BK * N
    tl.store(c + rows[:, None] * N + columns[None, :], sum, mask=(rows[:, None] < M) & (columns[None, :] < N))


@triton.jit
def triton_histogram(data, bins, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    v = tl.load(data + at, mask=inside, other=0)
    tl.atomic_add(bins + v, 1, mask=inside)


@triton.jit
def triton_layernorm(x, w, b, y, columns, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    inside = at < columns
    v = tl.load(x + row * columns + at, mask=inside, other=0.0).to(tl.float32)
    mean = tl.sum(v, axis=0) / columns
    d = tl.where(inside, v - mean, 0.0)
    r = tl.rsqrt(tl.sum(d * d, axis=0) / columns + eps)
    tl.store(y + row * columns + at, d * r * tl.load(w + at, mask=inside) + tl.load(b + at, mask=inside), mask=inside)


@triton.jit
def triton_scan(x, y, n, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.cumsum(tl.load(x + at, mask=at < n, other=0), 0), mask=at < n)


@triton.jit
def triton_attention(q, k, v, o, n, scale, BM: tl.constexpr, BN: tl.constexpr, D: tl.constexpr):
    rows = tl.program_id(0) * BM + tl.arange(0, BM)
    d = tl.arange(0, D)
    query = tl.load(q + rows[:, None] * D + d[None, :], mask=rows[:, None] < n, other=0.0)
    most = tl.full((BM,), -float('inf'), tl.float32)
    total = tl.zeros((BM,), tl.float32)
    sum = tl.zeros((BM, D), tl.float32)
    for first in range(0, n, BN):
        keys = first + tl.arange(0, BN)
        key = tl.load(k + keys[None, :] * D + d[:, None], mask=keys[None, :] < n, other=0.0)
        s = tl.where(keys[None, :] < n, tl.dot(query, key) * scale, -float('inf'))
        higher = tl.maximum(most, tl.max(s, 1))
        p = tl.exp2(s - higher[:, None])
        shrink = tl.exp2(most - higher)
        total = total * shrink + tl.sum(p, 1)
        value = tl.load(v + keys[:, None] * D + d[None, :], mask=keys[:, None] < n, other=0.0)
        sum = tl.dot(p.to(tl.float16), value, sum * shrink[:, None])
        most = higher
    tl.store(o + rows[:, None] * D + d[None, :], sum / total[:, None], mask=rows[:, None] < n)


@triton.jit
def triton_int8(a, b, c, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.arange(0, BM)
    columns = tl.arange(0, BN)
    k = tl.arange(0, BK)
    left = tl.load(a + rows[:, None] * BK + k[None, :])
    right = tl.load(b + k[:, None] + columns[None, :] * BK)
    tl.store(c + rows[:, None] * BN + columns[None, :], tl.dot(left, right))


@triton.jit
def triton_argmax(x, values, places, columns, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    at = tl.arange(0, BLOCK)
    v = tl.load(x + row * columns + at, mask=at < columns, other=-float('inf'), eviction_policy='evict_first')
    tl.store(places + row, tl.argmax(v, axis=0))
    tl.store(values + row, tl.max(v, axis=0))


@triton.jit
def triton_sort(x, y, BLOCK: tl.constexpr):
    at = tl.arange(0, BLOCK)
    tl.store(y + at, tl.sort(tl.load(x + at)))


@triton.jit
def triton_lock(lock, total, x, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    part = tl.sum(tl.load(x + at, mask=at < n, other=0.0), axis=0)
    while tl.atomic_cas(lock, 0, 1) == 1:
        pass
    tl.store(total, tl.load(total, volatile=True) + part)
    tl.debug_barrier()
    tl.atomic_xchg(lock, 0)


@triton.jit
def triton_random(y, n, seed, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y + at, tl.randint(seed, at), mask=at < n)


@triton.jit
def triton_transpose(x, y, M: tl.constexpr, N: tl.constexpr):
    r = tl.arange(0, M)
    c = tl.arange(0, N)
    v = tl.load(x + r[:, None] * N + c[None, :], eviction_policy='evict_last')
    tl.store(y + c[:, None] * M + r[None, :], tl.trans(v))


@triton.jit
def triton_bf16(a, b, c, BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr):
    rows = tl.arange(0, BM)
    columns = tl.arange(0, BN)
    k = tl.arange(0, BK)
    s = tl.dot(tl.load(a + rows[:, None] * BK + k[None, :]), tl.load(b + k[:, None] * BN + columns[None, :]))
    g = s * tl.sigmoid(s) + tl.where(s > 4, tl.sqrt(s), tl.log(s + 1)) + tl.math.erf(s)
    tl.store(c + rows[:, None] * BN + columns[None, :], g.to(tl.bfloat16))
