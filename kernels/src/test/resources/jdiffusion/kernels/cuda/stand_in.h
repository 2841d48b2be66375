/* What the stand-ins for NVIDIA's libraries share. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * Work on a stream comes after what was queued there before; the stand-ins do theirs at once, so they wait for the
 * rest. The driver is the one that this process has loaded. Nonzero when it refuses the stream.
 */
static int wait_for(void *stream) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
    int (*synchronize)(void *) = driver == NULL ? NULL : (int (*)(void *)) dlsym(driver, "cuStreamSynchronize");
    return stream == NULL || synchronize == NULL ? -1 : synchronize(stream);
}

static float from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float from_bf16(uint16_t value) {
    return from_bits((uint32_t) value << 16);
}
