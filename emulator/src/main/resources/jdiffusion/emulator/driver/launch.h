/* Modules and launches. Part of cuda.c. */

EXPORT int cuModuleLoadDataEx(void **module, const void *image, unsigned count, const int *options, void **values) {
    IN_CONTEXT;
    enum { ERROR_LOG = 5, ERROR_LOG_BYTES = 6 };
    const char *ptx = image;
    REQUIRE(module && ptx, CUDA_ERROR_INVALID_VALUE);
    /* A cubin or a fat binary starts with bytes that no text has. */
    REQUIRE(ptx[0] == '\n' || ptx[0] == '\r' || ptx[0] == '\t' || (ptx[0] >= ' ' && ptx[0] <= '~'),
            CUDA_ERROR_INVALID_IMAGE);
    char *log = NULL;
    uint64_t log_bytes = 0;
    for (unsigned i = 0; i < count; i++) {
        if (options[i] == ERROR_LOG) log = values[i];
        if (options[i] == ERROR_LOG_BYTES) log_bytes = (uint64_t) values[i];
    }
    return java.load(device_now(), ptx, strlen(ptx), log, log ? log_bytes : 0, (uint64_t *) module);
}

EXPORT int cuModuleLoadData(void **module, const void *image) {
    return cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

EXPORT int cuModuleGetLoadingMode(int *mode) {
    INITIALISED;
    enum { EAGER_LOADING = 1 };
    *mode = EAGER_LOADING;
    return CUDA_SUCCESS;
}

EXPORT int cuModuleUnload(void *module) {
    IN_CONTEXT;
    return java.unload(device_now(), (uint64_t) module);
}

EXPORT int cuModuleGetFunction(void **function, void *module, const char *name) {
    IN_CONTEXT;
    REQUIRE(function && name, CUDA_ERROR_INVALID_VALUE);
    return java.function(device_now(), (uint64_t) module, name, (uint64_t *) function);
}

EXPORT int cuModuleGetGlobal_v2(uint64_t *address, size_t *bytes, void *module, const char *name) {
    IN_CONTEXT;
    REQUIRE(name, CUDA_ERROR_INVALID_VALUE);
    uint64_t found[2];
    TRY(java.global(device_now(), (uint64_t) module, name, &found[0], &found[1]));
    if (address) *address = found[0];
    if (bytes) *bytes = found[1];
    return CUDA_SUCCESS;
}

EXPORT int cuFuncGetAttribute(int *value, int attribute, void *function) {
    IN_CONTEXT;
    REQUIRE(value, CUDA_ERROR_INVALID_VALUE);
    return java.get_attribute(device_now(), (uint64_t) function, attribute, value);
}

EXPORT int cuFuncSetAttribute(void *function, int attribute, int value) {
    IN_CONTEXT;
    return java.set_attribute(device_now(), (uint64_t) function, attribute, value);
}

EXPORT int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *count, void *function, int threads, size_t shared_bytes) {
    IN_CONTEXT;
    REQUIRE(count, CUDA_ERROR_INVALID_VALUE);
    return java.occupancy(device_now(), (uint64_t) function, threads, shared_bytes, count);
}

/* ---- launches ---- */

/* The arguments come as one packed buffer in extra: {pointer tag, buffer, size tag, &size, end}. */
static int launch(void *function, const int *geometry, void *stream, void **parameters, void **extra) {
    enum { END = 0, BUFFER = 1, SIZE = 2 };
    TRY(begin(stream));
    REQUIRE(!parameters, CUDA_ERROR_NOT_SUPPORTED);
    const void *buffer = NULL;
    size_t bytes = 0;
    for (void **entry = extra; entry && (uintptr_t) entry[0] != END; entry += 2) {
        if ((uintptr_t) entry[0] == BUFFER) {
            buffer = entry[1];
        } else if ((uintptr_t) entry[0] == SIZE) {
            bytes = *(size_t *) entry[1];
        } else {
            return CUDA_ERROR_INVALID_VALUE;
        }
    }
    REQUIRE(buffer || bytes == 0, CUDA_ERROR_INVALID_VALUE);
    return java.launch(device_now(), (uint64_t) function, geometry, buffer, bytes);
}

EXPORT int cuLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                          unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream,
                          void **parameters, void **extra) {
    IN_CONTEXT;
    int geometry[] = {grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, 0, 0, 0};
    return launch(function, geometry, stream, parameters, extra);
}

/* CUlaunchConfig and CUlaunchAttribute; of a value, the size of clusters is read alone. */
struct launch_attribute {
    int id;
    int padding;
    union { unsigned cluster[3]; char bytes[64]; } value;
};

struct launch_config {
    unsigned grid[3], block[3], shared_bytes;
    void *stream;
    const struct launch_attribute *attributes;
    unsigned count;
};

static int geometry_of(const struct launch_config *config, int *geometry) {
    enum { IGNORE = 0, CLUSTER_DIMENSION = 4, CLUSTER_PREFERENCE = 5, STREAM_SERIALIZATION = 6, PRIORITY = 8 };
    REQUIRE(config && (config->attributes || !config->count), CUDA_ERROR_INVALID_VALUE);
    for (int i = 0; i < 3; i++) {
        geometry[i] = config->grid[i];
        geometry[3 + i] = config->block[i];
    }
    geometry[6] = config->shared_bytes;
    for (unsigned i = 0; i < config->count; i++) {
        const struct launch_attribute *attribute = &config->attributes[i];
        if (attribute->id == CLUSTER_DIMENSION) {
            for (int j = 0; j < 3; j++) geometry[7 + j] = attribute->value.cluster[j];
            REQUIRE(geometry[7] && geometry[8] && geometry[9], CUDA_ERROR_INVALID_VALUE);
        } else if (attribute->id != IGNORE && attribute->id != CLUSTER_PREFERENCE
                   && attribute->id != STREAM_SERIALIZATION && attribute->id != PRIORITY) {
            return CUDA_ERROR_NOT_SUPPORTED;
        }
    }
    return CUDA_SUCCESS;
}

EXPORT int cuLaunchKernelEx(const struct launch_config *config, void *function, void **parameters, void **extra) {
    IN_CONTEXT;
    int geometry[10] = {0};
    TRY(geometry_of(config, geometry));
    return launch(function, geometry, config->stream, parameters, extra);
}

EXPORT int cuOccupancyMaxActiveClusters(int *count, void *function, const struct launch_config *config) {
    IN_CONTEXT;
    REQUIRE(count, CUDA_ERROR_INVALID_VALUE);
    int geometry[10] = {0};
    TRY(geometry_of(config, geometry));
    return java.cluster_occupancy(device_now(), (uint64_t) function, geometry, count);
}

/* ---- errors ---- */

static const struct { int number; const char *name, *text; } results[] = {
#define AS_ROW(number, name, text) {number, #name, text},
    RESULTS(AS_ROW)
};

static int find_result(int number) {
    int index = sizeof results / sizeof *results - 1;
    while (index >= 0 && results[index].number != number) index--;
    return index;
}

EXPORT int cuGetErrorName(int number, const char **name) {
    int index = find_result(number);
    *name = index < 0 ? NULL : results[index].name;
    return index < 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

EXPORT int cuGetErrorString(int number, const char **text) {
    int index = find_result(number);
    *text = index < 0 ? NULL : results[index].text;
    return index < 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
