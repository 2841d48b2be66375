/*
 * AMX's tiles on a CPU that has AVX512_BF16 but no AMX: loaded before all else (LD_PRELOAD), it lets a Java process find
 * them. CPUID and XGETBV of that process's machine code say that they are there, Linux's permission for them is given
 * when it is asked for, and each instruction of theirs, which this CPU does not know, is carried out here, by the
 * operations in Intel's manual, volume 2. It is for results, not for speed.
 *
 * What the CPU would not do either ends in its fault: tiles without permission, without a shape, in shapes that do not
 * fit each other. Instructions of AMX-INT8, AMX-FP16 and later ones stay unknown.
 *
 *   cc -O2 -mavx512f -shared -fPIC -o tiles.so tiles.c
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <dlfcn.h>
#include <errno.h>
#include <immintrin.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define TILES 8
#define MOST_ROWS 16
#define ROW_BYTES 64
#define CONFIG_BYTES 64
#define NO_REGISTER (-1)

#define ARCH_REQ_XCOMP_PERM 0x1023
#define XFEATURE_XTILEDATA 18
#define PROT_EXEC_BIT 4

#define CPUID_AMX_BF16 (1 << 22)
#define CPUID_AMX_TILE (1 << 24)
#define TILE_STATE 0x60000

/* What this thread has in its tiles. */
struct tiles {
    uint8_t data[TILES][MOST_ROWS][ROW_BYTES];
    uint8_t config[CONFIG_BYTES];
    int rows[TILES];
    int bytes[TILES];
};

static __thread struct tiles tiles __attribute__((aligned(64), tls_model("initial-exec")));
static volatile int permitted;
static struct sigaction others;

static uint64_t *reg(ucontext_t *at, int number) {
    static const int place[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
        REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return (uint64_t *) &at->uc_mcontext.gregs[place[number]];
}

static void clear_rows(int tile, int from) {
    memset(tiles.data[tile][from], 0, (size_t) (MOST_ROWS - from) * ROW_BYTES);
}

/* 0 where the CPU would fault. */
static int configure(const uint8_t *config) {
    int rows[TILES] = {0}, bytes[TILES] = {0};
    if (config[0] > 1) {
        return 0;
    }
    for (int i = 1; i < 16; i++) {
        if (config[0] == 1 && config[i] != 0) {
            return 0;
        }
    }
    for (int i = 0; i < 16 && config[0] == 1; i++) {
        int b = config[16 + 2 * i] | config[17 + 2 * i] << 8;
        int r = config[48 + i];
        if (b > ROW_BYTES || r > MOST_ROWS || (b == 0) != (r == 0) || (i >= TILES && r != 0)) {
            return 0;
        }
        if (i < TILES) {
            rows[i] = r;
            bytes[i] = b;
        }
    }
    memset(&tiles, 0, sizeof tiles);
    if (config[0] == 1) {
        memcpy(tiles.config, config, CONFIG_BYTES);
        memcpy(tiles.rows, rows, sizeof rows);
        memcpy(tiles.bytes, bytes, sizeof bytes);
    }
    return 1;
}

/* Sums of the products of the lower and of the upper numbers of all pairs, each a chain, then both, then the tile's. */
static int dot_bf16(int sum, int a, int b) {
    if (sum == a || sum == b || a == b || !tiles.rows[sum] || !tiles.rows[a] || !tiles.rows[b]
            || (tiles.bytes[sum] | tiles.bytes[a] | tiles.bytes[b]) % 4 != 0 || tiles.rows[sum] != tiles.rows[a]
            || tiles.bytes[sum] != tiles.bytes[b] || tiles.bytes[a] / 4 != tiles.rows[b]) {
        return 0;
    }
    unsigned before = _mm_getcsr();
    _mm_setcsr(0x9fc0); /* subnormal numbers are 0, rounded to the nearest, no exceptions */
    __m512i upper = _mm512_set1_epi32((int) 0xffff0000);
    for (int m = 0; m < tiles.rows[sum]; m++) {
        __m512 low = _mm512_setzero_ps(), high = _mm512_setzero_ps();
        for (int k = 0; k < tiles.rows[b]; k++) {
            int32_t pair;
            memcpy(&pair, &tiles.data[a][m][4 * k], 4);
            __m512i left = _mm512_set1_epi32(pair), right = _mm512_load_si512(tiles.data[b][k]);
            low = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(left, 16)),
                _mm512_castsi512_ps(_mm512_slli_epi32(right, 16)), low);
            high = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(left, upper)),
                _mm512_castsi512_ps(_mm512_and_si512(right, upper)), high);
        }
        __m512 old = _mm512_load_ps(tiles.data[sum][m]);
        __mmask16 columns = (__mmask16) ((1u << tiles.bytes[sum] / 4) - 1);
        _mm512_store_ps(tiles.data[sum][m],
            _mm512_maskz_mov_ps(columns, _mm512_add_ps(old, _mm512_add_ps(low, high))));
    }
    clear_rows(sum, tiles.rows[sum]);
    _mm_setcsr(before);
    return 1;
}

/* An operand in memory: where it begins, and what its index adds. */
struct place {
    uint8_t *start;
    int64_t step;
    int has_sib;
};

/* Reads ModRM, SIB and displacement at `code`, for bits X and B of a prefix; the length in bytes. 0: relative to RIP. */
static int read_place(ucontext_t *at, const uint8_t *code, int x, int b, struct place *to) {
    int mod = code[0] >> 6, rm = code[0] & 7, length = 1, base = rm | b << 3;
    to->step = 0;
    to->has_sib = rm == 4;
    if (to->has_sib) {
        int index = (code[1] >> 3 & 7) | x << 3;
        base = (code[1] & 7) | b << 3;
        to->step = index == 4 ? 0 : (int64_t) *reg(at, index) << (code[1] >> 6);
        length = 2;
    }
    int32_t distance = 0;
    if (mod == 0 && (base & 7) == 5) {
        if (!to->has_sib) {
            return 0;
        }
        base = NO_REGISTER;
    }
    if (mod == 1) {
        distance = (int8_t) code[length];
        length++;
    } else if (mod == 2 || base == NO_REGISTER) {
        memcpy(&distance, code + length, 4);
        length += 4;
    }
    to->start = (uint8_t *) (base == NO_REGISTER ? 0 : *reg(at, base)) + distance;
    return length;
}

/* Carries out the instruction of tiles at RIP and goes behind it; 0 if it is none, or faults. */
static int tile_instruction(ucontext_t *at) {
    const uint8_t *code = (const uint8_t *) at->uc_mcontext.gregs[REG_RIP];
    if (code[0] != 0xc4 || (code[1] & 0x1f) != 2 || (code[2] & 0x84) != 0) {
        return 0;
    }
    int x = !(code[1] & 0x40), b = !(code[1] & 0x20), prefix = code[2] & 3;
    int source = ~code[2] >> 3 & 15, op = code[3], mod = code[4] >> 6, tile = code[4] >> 3 & 7, length = 1;
    struct place place = {0};
    if (mod != 3) {
        length = read_place(at, code + 4, x, b, &place);
        if (length == 0) {
            return 0;
        }
    }
    int done = 0;
    if (op == 0x49 && prefix == 0 && mod != 3) {
        done = configure(place.start + place.step);
    } else if (op == 0x49 && prefix == 0 && code[4] == 0xc0) {
        memset(&tiles, 0, sizeof tiles);
        done = 1;
    } else if (op == 0x49 && prefix == 1 && mod != 3) {
        memcpy(place.start + place.step, tiles.config, CONFIG_BYTES);
        done = 1;
    } else if (op == 0x49 && prefix == 3 && mod == 3 && tiles.rows[tile]) {
        clear_rows(tile, 0);
        done = 1;
    } else if (op == 0x4b && prefix != 0 && mod != 3 && place.has_sib && tiles.rows[tile]) {
        size_t bytes = (size_t) tiles.bytes[tile];
        for (int r = 0; r < tiles.rows[tile]; r++) {
            uint8_t *memory = place.start + r * place.step;
            if (prefix == 2) {
                memcpy(memory, tiles.data[tile][r], bytes);
            } else {
                memcpy(tiles.data[tile][r], memory, bytes);
                memset(tiles.data[tile][r] + bytes, 0, ROW_BYTES - bytes);
            }
        }
        clear_rows(tile, tiles.rows[tile]);
        done = 1;
    } else if (op == 0x5c && prefix == 2 && mod == 3 && source < TILES && !b) {
        done = dot_bf16(tile, code[4] & 7, source);
    }
    at->uc_mcontext.gregs[REG_RIP] += done ? 4 + length : 0;
    return done;
}

/* Goes behind a prefetch, which only costs time here, so that the tiles behind it need no signal of their own. */
static int prefetch(ucontext_t *at) {
    const uint8_t *code = (const uint8_t *) at->uc_mcontext.gregs[REG_RIP];
    int rex = (code[0] & 0xf0) == 0x40 ? code[0] : 0, skip = rex ? 1 : 0;
    struct place place;
    if (code[skip] != 0x0f || (code[skip + 1] != 0x18 && code[skip + 1] != 0x0d) || code[skip + 2] >> 6 == 3) {
        return 0;
    }
    int length = read_place(at, code + skip + 2, rex >> 1 & 1, rex & 1, &place);
    at->uc_mcontext.gregs[REG_RIP] += length ? skip + 2 + length : 0;
    return length != 0;
}

/* UD2 stands where CPUID did, UD2 and NOP where XGETBV did. */
static int patched(ucontext_t *at) {
    const uint8_t *code = (const uint8_t *) at->uc_mcontext.gregs[REG_RIP];
    if (code[0] != 0x0f || code[1] != 0x0b) {
        return 0;
    }
    uint32_t a = (uint32_t) *reg(at, 0), c = (uint32_t) *reg(at, 1), b, d;
    if (code[2] == 0x90) {
        __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(c));
        *reg(at, 0) = a | (c == 0 ? TILE_STATE : 0);
        *reg(at, 2) = d;
        at->uc_mcontext.gregs[REG_RIP] += 3;
        return 1;
    }
    int tiled = a == 7 && c == 0;
    __cpuid_count(a, c, a, b, c, d);
    *reg(at, 0) = a;
    *reg(at, 3) = b;
    *reg(at, 1) = c;
    *reg(at, 2) = d | (tiled ? CPUID_AMX_BF16 | CPUID_AMX_TILE : 0);
    at->uc_mcontext.gregs[REG_RIP] += 2;
    return 1;
}

static void illegal(int signal, siginfo_t *info, void *context) {
    ucontext_t *at = context;
    if (patched(at)) {
        return;
    }
    if (permitted && tile_instruction(at)) {
        while (prefetch(at) || tile_instruction(at)) {
        }
        return;
    }
    if (others.sa_flags & SA_SIGINFO) {
        others.sa_sigaction(signal, info, context);
    } else if (others.sa_handler != SIG_DFL && others.sa_handler != SIG_IGN) {
        others.sa_handler(signal);
    } else {
        struct sigaction plain = {.sa_handler = SIG_DFL};
        syscall(SYS_rt_sigaction, signal, &plain, 0, 8);
        raise(signal);
    }
}

/* Writes traps over what asks for features, before the code becomes executable: PUSH RBX, CPUID and XGETBV. */
static void patch(uint8_t *code, size_t length) {
    for (size_t i = 0; i + 3 <= length; i++) {
        if (memcmp(code + i, "\x53\x0f\xa2", 3) == 0) {
            memcpy(code + i + 1, "\x0f\x0b", 2);
        } else if (memcmp(code + i, "\x0f\x01\xd0", 3) == 0) {
            memcpy(code + i, "\x0f\x0b\x90", 3);
        }
    }
}

/* What Java finds as `syscall`. */
static long watched_syscall(long number, ...) {
    long a[6];
    va_list list;
    va_start(list, number);
    for (int i = 0; i < 6; i++) {
        a[i] = va_arg(list, long);
    }
    va_end(list);
    if (number == SYS_mprotect && (a[2] & PROT_EXEC_BIT)) {
        patch((uint8_t *) a[0], (size_t) a[1]);
    }
    if (number == SYS_arch_prctl && a[0] == ARCH_REQ_XCOMP_PERM) {
        permitted |= a[1] == XFEATURE_XTILEDATA;
        errno = EINVAL;
        return permitted ? 0 : -1;
    }
    return syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void *dlsym(void *restrict handle, const char *restrict name) {
    static void *(*real)(void *, const char *);
    if (!real) {
        real = (void *(*)(void *, const char *)) dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
    }
    return strcmp(name, "syscall") == 0 ? (void *) watched_syscall : real(handle, name);
}

/* Java's own handler of illegal instructions comes second. */
int sigaction(int signal, const struct sigaction *restrict to, struct sigaction *restrict from) {
    static int (*real)(int, const struct sigaction *, struct sigaction *);
    if (!real) {
        real = (int (*)(int, const struct sigaction *, struct sigaction *)) dlvsym(RTLD_NEXT, "sigaction",
            "GLIBC_2.2.5");
    }
    if (signal != SIGILL) {
        return real(signal, to, from);
    }
    struct sigaction before = others;
    if (to) {
        struct sigaction ours = {.sa_sigaction = illegal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
        sigfillset(&ours.sa_mask);
        others = *to;
        if (real(signal, &ours, 0) != 0) {
            return -1;
        }
    }
    if (from) {
        *from = before;
    }
    return 0;
}
