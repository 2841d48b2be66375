/*
 * A stand-in libcuda.so.1: the calls of the CUDA driver API that the CUDA backend makes, on emulated devices.
 *
 * Device memory is host memory. Kernels, fills and most copies have finished when their call returns; only copies on a
 * stream to or from pinned memory may be put off until something waits for them (streams.h). Modules, launches and the
 * registry of allocations belong to Java, which hands over its functions with emulator_attach. All other entry points
 * (unsupported.h) return CUDA_ERROR_NOT_SUPPORTED.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define EXPORT __attribute__((visibility("default")))

/* CUresult: number, name, description. */
#define RESULTS(X) \
    X(0, CUDA_SUCCESS, "no error") \
    X(1, CUDA_ERROR_INVALID_VALUE, "invalid argument") \
    X(2, CUDA_ERROR_OUT_OF_MEMORY, "out of memory") \
    X(3, CUDA_ERROR_NOT_INITIALIZED, "initialization error") \
    X(100, CUDA_ERROR_NO_DEVICE, "no emulated device is open") \
    X(101, CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal") \
    X(200, CUDA_ERROR_INVALID_IMAGE, "the module is not PTX text") \
    X(201, CUDA_ERROR_INVALID_CONTEXT, "no context is current on this thread") \
    X(218, CUDA_ERROR_INVALID_PTX, "a PTX translation failed") \
    X(400, CUDA_ERROR_INVALID_HANDLE, "invalid resource handle") \
    X(500, CUDA_ERROR_NOT_FOUND, "named symbol not found") \
    X(600, CUDA_ERROR_NOT_READY, "an event was not recorded") \
    X(700, CUDA_ERROR_ILLEGAL_ADDRESS, "a kernel or copy accessed memory that is not allocated") \
    X(701, CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch") \
    X(716, CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned address") \
    X(719, CUDA_ERROR_LAUNCH_FAILED, "a kernel stopped with a fault") \
    X(801, CUDA_ERROR_NOT_SUPPORTED, "the emulated device does not support this call") \
    X(999, CUDA_ERROR_UNKNOWN, "the emulator failed")

#define AS_ENUM(number, name, text) name = number,
enum { RESULTS(AS_ENUM) };

/* What Java does, for the device whose number comes first. Every function returns a CUresult and never throws. */
struct emulator_calls {
    int (*allocated)(int device, uint64_t address, uint64_t bytes);
    int (*released)(int device, uint64_t address);
    int (*accessible)(int device, uint64_t address, uint64_t bytes);
    int (*load)(int device, const char *ptx, uint64_t bytes, char *log, uint64_t log_bytes, uint64_t *module);
    int (*unload)(int device, uint64_t module);
    int (*function)(int device, uint64_t module, const char *name, uint64_t *function);
    int (*global)(int device, uint64_t module, const char *name, uint64_t *address, uint64_t *bytes);
    int (*get_attribute)(int device, uint64_t function, int attribute, int *value);
    int (*set_attribute)(int device, uint64_t function, int attribute, int value);
    int (*occupancy)(int device, uint64_t function, int threads, uint64_t shared_bytes, int *blocks);
    /* geometry: grid x y z, block x y z, bytes of dynamic shared memory, cluster x y z or 0 for none */
    int (*cluster_occupancy)(int device, uint64_t function, const int *geometry, int *clusters);
    int (*launch)(int device, uint64_t function, const int *geometry, const void *parameters, uint64_t bytes);
};

/* ---- state ---- */

enum kind { DEAD, CONTEXT, STREAM, EVENT };

struct object {
    enum kind kind;
    unsigned flags;
    int device;
    /* of an event that was recorded: when, on which stream, after how many copies */
    int recorded;
    struct timespec time;
    void *stream;
    uint64_t copies;
};

struct block {
    uint64_t address, bytes, mapped;
    int device; /* HOST for pinned memory */
    struct block *next;
};

static struct emulator_calls java;
static int attached, initialised, strict;
static int capability; /* 10 times major plus minor: 80, 89 or 90 */
#define MAX_DEVICES 8
#define HOST -1
static int device_count;
static uint64_t memory_total, memory_used[MAX_DEVICES]; /* the total is each device's */
static struct block *blocks;
static struct object *objects;
static size_t objects_used, objects_room;
static struct { void *context; int users; unsigned flags; } primary[MAX_DEVICES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define FIRST_HANDLE 0x1000
#define MAX_CONTEXTS 32
#define GAP 4096
static __thread void *context_stack[MAX_CONTEXTS];
static __thread int context_depth;

#define TRY(call) do { int result_ = (call); if (result_ != CUDA_SUCCESS) return result_; } while (0)
#define REQUIRE(condition, error) do { if (!(condition)) return (error); } while (0)
#define INITIALISED REQUIRE(initialised, CUDA_ERROR_NOT_INITIALIZED); REQUIRE(attached, CUDA_ERROR_NO_DEVICE)
#define IN_CONTEXT INITIALISED; REQUIRE(find(current(), CONTEXT), CUDA_ERROR_INVALID_CONTEXT)
#define IS_DEVICE(device) REQUIRE((device) >= 0 && (device) < device_count, CUDA_ERROR_INVALID_DEVICE)

/* Handles are numbers that are never used twice: a stale one is found. */
static struct object *find(void *handle, enum kind kind) {
    uintptr_t index = (uintptr_t) handle - FIRST_HANDLE;
    struct object *found = NULL;
    pthread_mutex_lock(&lock);
    if (index < objects_used && objects[index].kind == kind) found = &objects[index];
    pthread_mutex_unlock(&lock);
    return found;
}

static int create(void **handle, enum kind kind, unsigned flags, int device) {
    int result = CUDA_SUCCESS;
    REQUIRE(handle, CUDA_ERROR_INVALID_VALUE);
    pthread_mutex_lock(&lock);
    if (objects_used == objects_room) {
        result = CUDA_ERROR_OUT_OF_MEMORY;
    } else {
        objects[objects_used] = (struct object) {.kind = kind, .flags = flags, .device = device};
        *handle = (void *) (FIRST_HANDLE + objects_used++);
    }
    pthread_mutex_unlock(&lock);
    return result;
}

static int destroy(void *handle, enum kind kind) {
    struct object *object = find(handle, kind);
    REQUIRE(object, CUDA_ERROR_INVALID_HANDLE);
    object->kind = DEAD;
    return CUDA_SUCCESS;
}

static void *current(void) {
    return context_depth ? context_stack[context_depth - 1] : NULL;
}

/* The device of the context that is current, which the caller has found. */
static int device_now(void) {
    return objects[(uintptr_t) current() - FIRST_HANDLE].device;
}

#include "streams.h"

/* ---- Java's side of it ---- */

/*
 * Opens some devices with memory of total bytes each. When they are strict, new device memory holds NaN (all ones)
 * instead of zeros, and copies on streams are put off.
 */
EXPORT int emulator_attach(const struct emulator_calls *calls, uint64_t total, int is_strict, int count,
                           int device_capability) {
    REQUIRE(!attached && count > 0 && count <= MAX_DEVICES, CUDA_ERROR_INVALID_VALUE);
    if (!objects) {
        objects_room = 1 << 22;
        objects = mmap(NULL, objects_room * sizeof *objects, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (objects == MAP_FAILED) {
            objects = NULL;
            return CUDA_ERROR_OUT_OF_MEMORY;
        }
    }
    java = *calls;
    memory_total = total;
    strict = is_strict;
    capability = device_capability;
    device_count = count;
    attached = 1;
    return CUDA_SUCCESS;
}

/* Closes the devices: frees their memory and makes all handles stale. The driver stays initialised for the next one. */
EXPORT void emulator_detach(void) {
    finish(ANY_STREAM, UINT64_MAX);
    pthread_mutex_lock(&lock);
    while (blocks) {
        struct block *block = blocks;
        blocks = block->next;
        munmap((void *) block->address, block->mapped);
        free(block);
    }
    for (size_t i = 0; i < objects_used; i++) objects[i].kind = DEAD;
    memset(memory_used, 0, sizeof memory_used);
    memset(primary, 0, sizeof primary);
    attached = 0;
    pthread_mutex_unlock(&lock);
}

/* ---- device and context ---- */

EXPORT int cuInit(unsigned flags) {
    REQUIRE(flags == 0, CUDA_ERROR_INVALID_VALUE);
    REQUIRE(attached, CUDA_ERROR_NO_DEVICE);
    initialised = 1;
    return CUDA_SUCCESS;
}

EXPORT int cuDriverGetVersion(int *version) {
    *version = 12060;
    return CUDA_SUCCESS;
}

EXPORT int cuDeviceGetCount(int *count) {
    INITIALISED;
    *count = device_count;
    return CUDA_SUCCESS;
}

EXPORT int cuDeviceGet(int *device, int ordinal) {
    INITIALISED;
    IS_DEVICE(ordinal);
    *device = ordinal;
    return CUDA_SUCCESS;
}

EXPORT int cuDeviceGetName(char *name, int length, int device) {
    INITIALISED;
    IS_DEVICE(device);
    REQUIRE(length > 0, CUDA_ERROR_INVALID_VALUE);
    snprintf(name, length, "jdiffusion emulated device");
    return CUDA_SUCCESS;
}

EXPORT int cuDeviceGetUuid(char *uuid, int device) {
    INITIALISED;
    IS_DEVICE(device);
    memcpy(uuid, "jdiffusion-emul0", 16);
    uuid[15] += device;
    return CUDA_SUCCESS;
}

EXPORT int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    INITIALISED;
    IS_DEVICE(device);
    *bytes = memory_total;
    return CUDA_SUCCESS;
}

/* CUdevice_attribute and value; what is not listed is 0, "no". The figures are those of an A100, of capability 8.0. */
static const int attributes[][2] = {
    {1, 1024}, {2, 1024}, {3, 1024}, {4, 64},           /* threads of a block, its x, y, z */
    {5, 2147483647}, {6, 65535}, {7, 65535},            /* grid x, y, z */
    {8, 49152}, {9, 65536}, {10, 32},                   /* shared memory of a block, constant memory, warp */
    {11, 2147483647}, {12, 65536}, {13, 1410000},       /* pitch, registers of a block, clock in kHz */
    {14, 512}, {15, 1}, {16, 108},                      /* texture alignment, copies overlap, multiprocessors */
    {31, 1}, {36, 1215000}, {37, 5120},                 /* concurrent kernels, memory clock in kHz, bus width */
    {38, 41943040}, {39, 2048}, {40, 1}, {41, 1},       /* L2, threads of a multiprocessor, copy engines, unified */
    {75, 8}, {76, 0}, {81, 167936}, {82, 65536},        /* capability, a multiprocessor's shared memory, registers */
    {97, 166912}, {106, 32}, {111, 1024},               /* shared memory by opt-in, blocks, reserved shared memory */
};

/* What an H100, of capability 9.0, has in place of these. */
static const int hopper_attributes[][2] = {
    {13, 1980000}, {16, 132}, {36, 2619000}, {38, 52428800},  /* clock, multiprocessors, memory clock, L2 */
    {75, 9}, {81, 233472}, {97, 232448},                      /* capability, shared memory */
    {120, 1}, {127, 1},                                       /* clusters, tensor maps */
};

/* What is other with 8.9: capability, threads, shared memory and blocks of a multiprocessor, opt-in. */
static const int ada_attributes[][2] = {
    {75, 8}, {76, 9}, {39, 1536}, {81, 102400}, {106, 24}, {97, 101376},
};

static void find_attribute(const int (*table)[2], size_t count, int attribute, int *value) {
    for (size_t i = 0; i < count; i++) {
        if (table[i][0] == attribute) *value = table[i][1];
    }
}

EXPORT int cuDeviceGetAttribute(int *value, int attribute, int device) {
    INITIALISED;
    IS_DEVICE(device);
    *value = 0;
    find_attribute(attributes, sizeof attributes / sizeof *attributes, attribute, value);
    if (capability == 89) {
        find_attribute(ada_attributes, sizeof ada_attributes / sizeof *ada_attributes, attribute, value);
    }
    if (capability >= 90) {
        find_attribute(hopper_attributes, sizeof hopper_attributes / sizeof *hopper_attributes, attribute, value);
    }
    return CUDA_SUCCESS;
}

EXPORT int cuCtxPushCurrent_v2(void *context) {
    INITIALISED;
    REQUIRE(find(context, CONTEXT), CUDA_ERROR_INVALID_CONTEXT);
    REQUIRE(context_depth < MAX_CONTEXTS, CUDA_ERROR_INVALID_VALUE);
    context_stack[context_depth++] = context;
    return CUDA_SUCCESS;
}

EXPORT int cuCtxPopCurrent_v2(void **context) {
    IN_CONTEXT;
    void *top = context_stack[--context_depth];
    if (context) *context = top;
    return CUDA_SUCCESS;
}

EXPORT int cuCtxCreate_v2(void **context, unsigned flags, int device) {
    INITIALISED;
    IS_DEVICE(device);
    TRY(create(context, CONTEXT, flags, device));
    return cuCtxPushCurrent_v2(*context);
}

EXPORT int cuCtxDestroy_v2(void *context) {
    INITIALISED;
    finish(ANY_STREAM, UINT64_MAX);
    REQUIRE(destroy(context, CONTEXT) == CUDA_SUCCESS, CUDA_ERROR_INVALID_CONTEXT);
    if (current() == context) context_depth--;
    return CUDA_SUCCESS;
}

EXPORT int cuCtxSetCurrent(void *context) {
    INITIALISED;
    if (context_depth) context_depth--;
    return context ? cuCtxPushCurrent_v2(context) : CUDA_SUCCESS;
}

EXPORT int cuCtxGetCurrent(void **context) {
    INITIALISED;
    *context = current();
    return CUDA_SUCCESS;
}

EXPORT int cuCtxGetDevice(int *device) {
    IN_CONTEXT;
    *device = device_now();
    return CUDA_SUCCESS;
}

EXPORT int cuCtxSynchronize(void) {
    IN_CONTEXT;
    finish(ANY_STREAM, UINT64_MAX);
    return CUDA_SUCCESS;
}

/* How threads wait for the device: all work is done when a call returns, so the flags are only kept. */
EXPORT int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
    enum { KNOWN_FLAGS = 0x1f };
    INITIALISED;
    IS_DEVICE(device);
    REQUIRE((flags & ~KNOWN_FLAGS) == 0, CUDA_ERROR_INVALID_VALUE);
    primary[device].flags = flags;
    return CUDA_SUCCESS;
}

EXPORT int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    INITIALISED;
    IS_DEVICE(device);
    *flags = primary[device].flags;
    *active = primary[device].users > 0;
    return CUDA_SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRetain(void **context, int device) {
    INITIALISED;
    IS_DEVICE(device);
    if (primary[device].users == 0) TRY(create(&primary[device].context, CONTEXT, primary[device].flags, device));
    primary[device].users++;
    *context = primary[device].context;
    return CUDA_SUCCESS;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
    INITIALISED;
    IS_DEVICE(device);
    REQUIRE(primary[device].users > 0, CUDA_ERROR_INVALID_CONTEXT);
    finish(ANY_STREAM, UINT64_MAX);
    return --primary[device].users == 0 ? destroy(primary[device].context, CONTEXT) : CUDA_SUCCESS;
}

#include "memory.h"
#include "launch.h"
#include "tensormap.h"
#include "unsupported.h"
