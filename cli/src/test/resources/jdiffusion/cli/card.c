/*
 * A libcuda.so.1 of a machine with an NVIDIA card: it lists one that is good enough for everything, and refuses the
 * first real work. Whatever takes a card without being told to fails with it.
 */
#include <stddef.h>
#include <string.h>

#define CAPABILITY_MAJOR 75
#define CAPABILITY_MINOR 76
#define MULTIPROCESSORS 16

#define DEVICE_UNAVAILABLE 46
#define INVALID_DEVICE 101

int cuInit(unsigned flags) {
    return flags == 0 ? 0 : INVALID_DEVICE;
}

int cuDriverGetVersion(int *version) {
    *version = 12060;
    return 0;
}

int cuDeviceGetCount(int *count) {
    *count = 1;
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    *device = ordinal;
    return ordinal == 0 ? 0 : INVALID_DEVICE;
}

int cuDeviceGetName(char *name, int length, int device) {
    strncpy(name, "Stand-in card", (size_t) length);
    return device;
}

int cuDeviceGetUuid(char *uuid, int device) {
    memset(uuid, 7, 16);
    return device;
}

int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    *bytes = (size_t) 80 << 30;
    return device;
}

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    *value = attribute == CAPABILITY_MAJOR ? 9 : attribute == CAPABILITY_MINOR ? 0
        : attribute == MULTIPROCESSORS ? 132 : 1;
    return device;
}

#define REFUSED(name) int name(void) { return DEVICE_UNAVAILABLE; }

REFUSED(cuCtxPushCurrent_v2) REFUSED(cuCtxPopCurrent_v2) REFUSED(cuCtxCreate_v2) REFUSED(cuCtxDestroy_v2)
REFUSED(cuCtxSetCurrent) REFUSED(cuCtxGetCurrent) REFUSED(cuCtxGetDevice) REFUSED(cuCtxSynchronize)
REFUSED(cuDevicePrimaryCtxSetFlags_v2) REFUSED(cuDevicePrimaryCtxGetState) REFUSED(cuDevicePrimaryCtxRetain)
REFUSED(cuDevicePrimaryCtxRelease_v2) REFUSED(cuStreamCreateWithPriority) REFUSED(cuStreamCreate)
REFUSED(cuStreamSynchronize) REFUSED(cuStreamDestroy_v2) REFUSED(cuStreamQuery) REFUSED(cuEventCreate)
REFUSED(cuEventDestroy_v2) REFUSED(cuEventRecord) REFUSED(cuEventSynchronize) REFUSED(cuEventQuery)
REFUSED(cuStreamWaitEvent) REFUSED(cuEventElapsedTime) REFUSED(cuMemAlloc_v2) REFUSED(cuMemFree_v2)
REFUSED(cuMemGetInfo_v2) REFUSED(cuMemHostAlloc) REFUSED(cuMemAllocHost_v2) REFUSED(cuMemFreeHost)
REFUSED(cuMemcpyHtoDAsync_v2) REFUSED(cuMemcpyDtoHAsync_v2) REFUSED(cuMemcpyDtoDAsync_v2) REFUSED(cuMemcpyHtoD_v2)
REFUSED(cuMemcpyDtoH_v2) REFUSED(cuMemcpyDtoD_v2) REFUSED(cuMemsetD8Async) REFUSED(cuMemsetD32Async)
REFUSED(cuMemsetD8_v2) REFUSED(cuMemsetD32_v2) REFUSED(cuModuleLoadDataEx) REFUSED(cuModuleLoadData)
REFUSED(cuModuleGetLoadingMode) REFUSED(cuModuleUnload) REFUSED(cuModuleGetFunction) REFUSED(cuModuleGetGlobal_v2)
REFUSED(cuFuncGetAttribute) REFUSED(cuFuncSetAttribute) REFUSED(cuOccupancyMaxActiveBlocksPerMultiprocessor)
REFUSED(cuLaunchKernel)
