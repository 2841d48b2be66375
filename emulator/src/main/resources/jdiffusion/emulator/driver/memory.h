/* Memory of the devices and pinned memory of the host, copies, fills. Part of cuda.c. */

/* The device may be HOST. */
static int map(uint64_t *address, size_t bytes, int device) {
    REQUIRE(address && bytes > 0, CUDA_ERROR_INVALID_VALUE);
    REQUIRE(device == HOST || bytes <= memory_total - memory_used[device], CUDA_ERROR_OUT_OF_MEMORY);
    /* The gap keeps neighbours apart, so that an access past the end lies in no allocation. */
    size_t mapped = (bytes + GAP - 1) / GAP * GAP + GAP;
    struct block *block = malloc(sizeof *block);
    void *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!block || memory == MAP_FAILED) {
        free(block);
        if (memory != MAP_FAILED) munmap(memory, mapped);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    if (device != HOST && strict) memset(memory, 0xff, bytes);
    *block = (struct block) {(uint64_t) memory, bytes, mapped, device, blocks};
    blocks = block;
    if (device != HOST) memory_used[device] += bytes;
    *address = block->address;
    return CUDA_SUCCESS;
}

static int unmap(uint64_t address, int device) {
    for (struct block **link = &blocks; *link; link = &(*link)->next) {
        struct block *block = *link;
        if (block->address == address && block->device == device) {
            *link = block->next;
            if (device != HOST) memory_used[device] -= block->bytes;
            munmap((void *) address, block->mapped);
            free(block);
            return CUDA_SUCCESS;
        }
    }
    return CUDA_ERROR_INVALID_VALUE;
}

static int map_locked(uint64_t *address, size_t bytes, int device) {
    pthread_mutex_lock(&lock);
    int result = map(address, bytes, device);
    pthread_mutex_unlock(&lock);
    return result;
}

static int unmap_locked(uint64_t address, int device) {
    pthread_mutex_lock(&lock);
    int result = unmap(address, device);
    pthread_mutex_unlock(&lock);
    return result;
}

EXPORT int cuMemAlloc_v2(uint64_t *address, size_t bytes) {
    IN_CONTEXT;
    TRY(map_locked(address, bytes, device_now()));
    int result = java.allocated(device_now(), *address, bytes);
    if (result != CUDA_SUCCESS) unmap_locked(*address, device_now());
    return result;
}

EXPORT int cuMemFree_v2(uint64_t address) {
    IN_CONTEXT;
    REQUIRE(address, CUDA_SUCCESS);
    finish(ANY_STREAM, UINT64_MAX);
    TRY(java.released(device_now(), address));
    return unmap_locked(address, device_now());
}

EXPORT int cuMemGetInfo_v2(size_t *available, size_t *total) {
    IN_CONTEXT;
    *available = memory_total - memory_used[device_now()];
    *total = memory_total;
    return CUDA_SUCCESS;
}

EXPORT int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) {
    IN_CONTEXT;
    (void) flags;
    return map_locked((uint64_t *) memory, bytes, HOST);
}

EXPORT int cuMemAllocHost_v2(void **memory, size_t bytes) {
    return cuMemHostAlloc(memory, bytes, 0);
}

EXPORT int cuMemFreeHost(void *memory) {
    IN_CONTEXT;
    finish(ANY_STREAM, UINT64_MAX);
    return unmap_locked((uint64_t) memory, HOST);
}

/* ---- copies and fills: the plain form is the one on the default stream ---- */

EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t bytes, void *stream) {
    IN_CONTEXT;
    TRY(check_stream(stream));
    TRY(java.accessible(device_now(), to, bytes));
    return copy_on_stream((void *) to, from, bytes, from, stream);
}

EXPORT int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
    IN_CONTEXT;
    TRY(check_stream(stream));
    TRY(java.accessible(device_now(), from, bytes));
    return copy_on_stream(to, (void *) from, bytes, to, stream);
}

EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
    IN_CONTEXT;
    TRY(begin(stream));
    TRY(java.accessible(device_now(), from, bytes));
    TRY(java.accessible(device_now(), to, bytes));
    if (bytes) memmove((void *) to, (void *) from, bytes);
    return CUDA_SUCCESS;
}

EXPORT int cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t bytes) {
    return cuMemcpyHtoDAsync_v2(to, from, bytes, NULL);
}

EXPORT int cuMemcpyDtoH_v2(void *to, uint64_t from, size_t bytes) {
    return cuMemcpyDtoHAsync_v2(to, from, bytes, NULL);
}

EXPORT int cuMemcpyDtoD_v2(uint64_t to, uint64_t from, size_t bytes) {
    return cuMemcpyDtoDAsync_v2(to, from, bytes, NULL);
}

EXPORT int cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, void *stream) {
    IN_CONTEXT;
    TRY(begin(stream));
    TRY(java.accessible(device_now(), to, count));
    if (count) memset((void *) to, value, count);
    return CUDA_SUCCESS;
}

EXPORT int cuMemsetD32Async(uint64_t to, unsigned value, size_t count, void *stream) {
    IN_CONTEXT;
    TRY(begin(stream));
    REQUIRE(to % 4 == 0 && count <= SIZE_MAX / 4, CUDA_ERROR_INVALID_VALUE);
    TRY(java.accessible(device_now(), to, 4 * count));
    for (size_t i = 0; i < count; i++) ((unsigned *) to)[i] = value;
    return CUDA_SUCCESS;
}

EXPORT int cuMemsetD8_v2(uint64_t to, unsigned char value, size_t count) {
    return cuMemsetD8Async(to, value, count, NULL);
}

EXPORT int cuMemsetD32_v2(uint64_t to, unsigned value, size_t count) {
    return cuMemsetD32Async(to, value, count, NULL);
}
