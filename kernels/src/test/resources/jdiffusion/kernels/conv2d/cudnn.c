/*
 * A stand-in libcudnn.so.9 for tests on the emulated device, whose memory is the host's: the calls that CudnnConv2d
 * makes, done at once and by plain loops. Only convolutions of bfloat16, channels last, are known; kernels wider than 5
 * are refused, so that a test sees a refusal. Status codes are those of cuDNN 9.
 */
#include "stand_in.h"

enum { SUCCESS = 0, NOT_INITIALIZED = 1001, BAD_PARAM = 2000, NOT_SUPPORTED = 3000,
       EXECUTION_FAILED = 5000 };
enum { NHWC = 1, FLOAT = 0, BFLOAT16 = 9, CROSS_CORRELATION = 1, TENSOR_OP_MATH = 1, IMPLICIT_PRECOMP_GEMM = 1 };

struct handle {
    void *stream;
};

/* n, c, h, w of a tensor; for a filter k, c, h, w. */
struct tensor {
    int n, c, h, w;
};

struct convolution {
    int pad, stride, math;
};

/* Descriptors that were created and not destroyed, for tests. */
int stand_in_descriptors;

const char *cudnnGetErrorString(int status) {
    switch (status) {
        case SUCCESS: return "CUDNN_STATUS_SUCCESS";
        case NOT_INITIALIZED: return "CUDNN_STATUS_NOT_INITIALIZED";
        case BAD_PARAM: return "CUDNN_STATUS_BAD_PARAM";
        case NOT_SUPPORTED: return "CUDNN_STATUS_NOT_SUPPORTED";
        default: return "CUDNN_STATUS_EXECUTION_FAILED";
    }
}

int cudnnCreate(struct handle **handle) {
    *handle = calloc(1, sizeof **handle);
    return SUCCESS;
}

int cudnnDestroy(struct handle *handle) {
    free(handle);
    return SUCCESS;
}

int cudnnSetStream(struct handle *handle, void *stream) {
    handle->stream = stream;
    return SUCCESS;
}

int cudnnCreateTensorDescriptor(struct tensor **tensor) {
    *tensor = calloc(1, sizeof **tensor);
    stand_in_descriptors++;
    return SUCCESS;
}

int cudnnDestroyTensorDescriptor(struct tensor *tensor) {
    free(tensor);
    stand_in_descriptors--;
    return SUCCESS;
}

int cudnnSetTensor4dDescriptor(struct tensor *tensor, int format, int type, int n, int c, int h, int w) {
    if (n < 1 || c < 1 || h < 1 || w < 1) {
        return BAD_PARAM;
    }
    *tensor = (struct tensor){n, c, h, w};
    return format == NHWC && type == BFLOAT16 ? SUCCESS : NOT_SUPPORTED;
}

int cudnnCreateFilterDescriptor(struct tensor **filter) {
    return cudnnCreateTensorDescriptor(filter);
}

int cudnnDestroyFilterDescriptor(struct tensor *filter) {
    return cudnnDestroyTensorDescriptor(filter);
}

int cudnnSetFilter4dDescriptor(struct tensor *filter, int type, int format, int k, int c, int h, int w) {
    return cudnnSetTensor4dDescriptor(filter, format, type, k, c, h, w);
}

int cudnnCreateConvolutionDescriptor(struct convolution **convolution) {
    *convolution = calloc(1, sizeof **convolution);
    stand_in_descriptors++;
    return SUCCESS;
}

int cudnnDestroyConvolutionDescriptor(struct convolution *convolution) {
    free(convolution);
    stand_in_descriptors--;
    return SUCCESS;
}

int cudnnSetConvolution2dDescriptor(struct convolution *convolution, int pad_h, int pad_w, int stride_h, int stride_w,
                                    int dilation_h, int dilation_w, int mode, int compute) {
    if (pad_h != pad_w || stride_h != stride_w || dilation_h != 1 || dilation_w != 1 || mode != CROSS_CORRELATION
            || compute != FLOAT) {
        return NOT_SUPPORTED;
    }
    convolution->pad = pad_h;
    convolution->stride = stride_h;
    return SUCCESS;
}

int cudnnSetConvolutionMathType(struct convolution *convolution, int math) {
    convolution->math = math;
    return SUCCESS;
}

static int check(const struct tensor *x, const struct tensor *w, const struct convolution *c, const struct tensor *y,
                 int algorithm) {
    int h = (x->h + 2 * c->pad - w->h) / c->stride + 1;
    int width = (x->w + 2 * c->pad - w->w) / c->stride + 1;
    if (x->n != y->n || x->c != w->c || y->c != w->n || y->h != h || y->w != width) {
        return BAD_PARAM;
    }
    return w->h <= 5 && algorithm == IMPLICIT_PRECOMP_GEMM && c->math == TENSOR_OP_MATH ? SUCCESS : NOT_SUPPORTED;
}

static size_t workspace_bytes(const struct tensor *w) {
    return 100 + (size_t) w->h * w->w * 4;
}

int cudnnGetConvolutionForwardWorkspaceSize(struct handle *handle, const struct tensor *x, const struct tensor *w,
                                            const struct convolution *c, const struct tensor *y, int algorithm,
                                            size_t *bytes) {
    *bytes = workspace_bytes(w);
    return handle->stream == NULL ? NOT_INITIALIZED : check(x, w, c, y, algorithm);
}

/* To nearest, ties to even; no NaN comes here that is not one already. */
static uint16_t narrow(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return value != value ? 0x7FC0 : (uint16_t) ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static float at(const struct tensor *x, const uint16_t *x_data, const struct tensor *w, const uint16_t *w_data,
                const struct convolution *c, int image, int out_row, int out_col, int out_channel) {
    float sum = 0;
    for (int tap = 0; tap < w->h * w->w; tap++) {
        int row = out_row * c->stride - c->pad + tap / w->w;
        int col = out_col * c->stride - c->pad + tap % w->w;
        if (row < 0 || row >= x->h || col < 0 || col >= x->w) {
            continue;
        }
        const uint16_t *pixel = x_data + (((int64_t) image * x->h + row) * x->w + col) * x->c;
        const uint16_t *factors = w_data + ((int64_t) out_channel * w->h * w->w + tap) * w->c;
        for (int channel = 0; channel < x->c; channel++) {
            sum += from_bf16(pixel[channel]) * from_bf16(factors[channel]);
        }
    }
    return sum;
}

/* The workspace is overwritten first: whoever laid it over an operand notices. */
int cudnnConvolutionForward(struct handle *handle, const float *alpha, const struct tensor *x, const uint16_t *x_data,
                            const struct tensor *w, const uint16_t *w_data, const struct convolution *c, int algorithm,
                            void *workspace, size_t bytes, const float *beta, const struct tensor *y,
                            uint16_t *y_data) {
    int status = check(x, w, c, y, algorithm);
    if (status != SUCCESS) {
        return status;
    }
    if (*alpha != 1 || *beta != 0 || bytes < workspace_bytes(w)) {
        return BAD_PARAM;
    }
    if (wait_for(handle->stream) != 0) {
        return EXECUTION_FAILED;
    }
    memset(workspace, 0xFF, bytes);
    for (int64_t i = 0; i < (int64_t) y->n * y->h * y->w * y->c; i++) {
        int64_t pixel = i / y->c;
        int image = (int) (pixel / (y->h * y->w));
        float sum = at(x, x_data, w, w_data, c, image, (int) (pixel / y->w % y->h), (int) (pixel % y->w),
                       (int) (i % y->c));
        y_data[i] = narrow(sum);
    }
    return SUCCESS;
}
