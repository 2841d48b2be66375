/*
 * Streams and events. Part of cuda.c.
 *
 * On a real device a copy between pinned memory and a stream's kernel runs some time later. When the device is strict,
 * such a copy is put off as long as the rules of streams allow: until more work comes to its stream, or something waits
 * for it. Then a buffer that is used again too early, or a stream that does not wait for another, gives wrong numbers.
 */

struct copy {
    void *stream, *to;
    const void *from;
    size_t bytes;
    uint64_t number;
    struct copy *next;
};

static struct copy *waiting;
static uint64_t copies_made;

#define ANY_STREAM ((void *) UINTPTR_MAX)
#define BLOCKING_STREAMS ((void *) (UINTPTR_MAX - 1))
enum { NON_BLOCKING = 1, DISABLE_TIMING = 2 };

/* The default stream and its two named forms need no creation. */
static int is_default(void *stream) {
    return (uintptr_t) stream <= 2;
}

/* A stream belongs to the device of the context that was current when it was made. */
static int check_stream(void *stream) {
    if (is_default(stream)) return CUDA_SUCCESS;
    struct object *object = find(stream, STREAM);
    return object && object->device == device_now() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

static int is_due(const struct copy *copy, void *stream, uint64_t last) {
    if (copy->number > last) return 0;
    if (stream == BLOCKING_STREAMS) return !(objects[(uintptr_t) copy->stream - FIRST_HANDLE].flags & NON_BLOCKING);
    return stream == ANY_STREAM || stream == copy->stream;
}

/* Makes the copies of a stream that were put off, up to the one of that number. */
static void finish(void *stream, uint64_t last) {
    pthread_mutex_lock(&lock);
    for (struct copy **link = &waiting; *link;) {
        struct copy *copy = *link;
        if (is_due(copy, stream, last)) {
            memcpy(copy->to, copy->from, copy->bytes);
            *link = copy->next;
            free(copy);
        } else {
            link = &copy->next;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* What comes before new work on the stream is done; the default stream comes after all that do not opt out. */
static int begin(void *stream) {
    TRY(check_stream(stream));
    finish(is_default(stream) ? BLOCKING_STREAMS : stream, UINT64_MAX);
    return CUDA_SUCCESS;
}

static int is_pinned(uint64_t address, size_t bytes) {
    int found = 0;
    pthread_mutex_lock(&lock);
    for (struct block *block = blocks; block && !found; block = block->next) {
        found = block->device == HOST && address >= block->address && address + bytes <= block->address + block->bytes;
    }
    pthread_mutex_unlock(&lock);
    return found;
}

/* A copy between device and host on a stream that was checked. */
static int copy_on_stream(void *to, const void *from, size_t bytes, const void *host, void *stream) {
    struct copy *copy = NULL;
    if (strict && !is_default(stream) && is_pinned((uint64_t) host, bytes)) copy = malloc(sizeof *copy);
    if (!copy) {
        TRY(begin(stream));
        if (bytes) memcpy(to, from, bytes);
        return CUDA_SUCCESS;
    }
    pthread_mutex_lock(&lock);
    *copy = (struct copy) {stream, to, from, bytes, ++copies_made, NULL};
    struct copy **end = &waiting;
    while (*end) end = &(*end)->next;
    *end = copy;
    pthread_mutex_unlock(&lock);
    return CUDA_SUCCESS;
}

/* ---- streams ---- */

EXPORT int cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
    IN_CONTEXT;
    (void) priority;
    return create(stream, STREAM, flags, device_now());
}

EXPORT int cuStreamCreate(void **stream, unsigned flags) {
    return cuStreamCreateWithPriority(stream, flags, 0);
}

EXPORT int cuStreamSynchronize(void *stream) {
    IN_CONTEXT;
    return begin(stream);
}

EXPORT int cuStreamDestroy_v2(void *stream) {
    TRY(cuStreamSynchronize(stream));
    return destroy(stream, STREAM);
}

EXPORT int cuStreamQuery(void *stream) {
    return cuStreamSynchronize(stream);
}

/* ---- events ---- */

EXPORT int cuEventCreate(void **event, unsigned flags) {
    IN_CONTEXT;
    return create(event, EVENT, flags, device_now());
}

EXPORT int cuEventDestroy_v2(void *event) {
    IN_CONTEXT;
    return destroy(event, EVENT);
}

EXPORT int cuEventRecord(void *event, void *stream) {
    IN_CONTEXT;
    struct object *object = find(event, EVENT);
    REQUIRE(object, CUDA_ERROR_INVALID_HANDLE);
    TRY(is_default(stream) ? begin(stream) : check_stream(stream));
    object->stream = stream;
    object->copies = copies_made;
    clock_gettime(CLOCK_MONOTONIC, &object->time);
    object->recorded = 1;
    return CUDA_SUCCESS;
}

EXPORT int cuEventSynchronize(void *event) {
    IN_CONTEXT;
    struct object *object = find(event, EVENT);
    REQUIRE(object, CUDA_ERROR_INVALID_HANDLE);
    if (object->recorded) finish(object->stream, object->copies);
    return CUDA_SUCCESS;
}

EXPORT int cuEventQuery(void *event) {
    return cuEventSynchronize(event);
}

EXPORT int cuStreamWaitEvent(void *stream, void *event, unsigned flags) {
    IN_CONTEXT;
    (void) flags;
    TRY(check_stream(stream));
    return cuEventSynchronize(event);
}

/* The time that the emulation took, in milliseconds: no estimate of a real device. */
EXPORT int cuEventElapsedTime(float *milliseconds, void *start, void *end) {
    IN_CONTEXT;
    struct object *first = find(start, EVENT), *last = find(end, EVENT);
    REQUIRE(first && last && !((first->flags | last->flags) & DISABLE_TIMING), CUDA_ERROR_INVALID_HANDLE);
    REQUIRE(first->recorded && last->recorded, CUDA_ERROR_NOT_READY);
    *milliseconds = 1e3f * (last->time.tv_sec - first->time.tv_sec)
                    + 1e-6f * (last->time.tv_nsec - first->time.tv_nsec);
    return CUDA_SUCCESS;
}
