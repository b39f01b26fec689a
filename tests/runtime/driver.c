/* A stand-in for libcuda.so.1 with the driver's own signatures: device memory is the heap, a stream runs at once,
   a graph is the list of what was put on the stream while capturing. The "network" doubles every number. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct { void *to; const void *from; size_t size; int doubles; } Step;
typedef struct { Step steps[16]; int count; } Graph;
static char here; /* what context and stream point to */
static Graph *capturing;
static int fault;

void test_fail(int code) { fault = code; }

static void run(const Step *step) {
    if (!step->doubles) { memcpy(step->to, step->from, step->size); return; }
    for (size_t i = 0; i < step->size / 4; i++) ((float *)step->to)[i] = 2 * ((const float *)step->from)[i];
}
static int put(void *stream, Step step) {
    if (stream != &here) return 400;
    if (capturing) capturing->steps[capturing->count++] = step; else run(&step);
    return 0;
}
int test_double(void *stream, uint64_t to, uint64_t from, size_t size) {
    return put(stream, (Step){(void *)to, (const void *)from, size, 1});
}

int cuInit(unsigned flags) { return flags; }
int cuDeviceGet(int *device, int ordinal) { *device = 5; return ordinal ? 101 : 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Stand-in GPU", size); return device == 5 ? 0 : 101; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 8 : 7; return device == 5 ? 0 : 101; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = &here; return device == 5 ? 0 : 101; }
int cuCtxSetCurrent(void *context) { return context == &here ? 0 : 201; }
int cuStreamCreate(void **stream, unsigned flags) { *stream = &here; return flags == 1 ? 0 : 1; }
int cuStreamSynchronize(void *stream) { return capturing ? 900 : stream == &here ? fault : 400; }
int cuMemAlloc_v2(uint64_t *address, size_t size) { *address = (uint64_t)malloc(size); return 0; }
int cuMemAllocHost_v2(void **address, size_t size) { *address = malloc(size); return 0; }
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, void *stream) { return put(stream, (Step){(void *)to, from, size, 0}); }
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *stream) { return put(stream, (Step){to, (const void *)from, size, 0}); }
int cuStreamBeginCapture_v2(void *stream, int mode) { capturing = calloc(1, sizeof(Graph)); return stream == &here && mode == 1 ? 0 : 400; }
int cuStreamEndCapture(void *stream, void **graph) { *graph = capturing; capturing = NULL; return stream == &here ? 0 : 400; }
int cuGraphInstantiateWithFlags(void **executable, void *graph, unsigned long long flags) {
    *executable = malloc(sizeof(Graph));
    memcpy(*executable, graph, sizeof(Graph));
    return (int)flags;
}
int cuGraphDestroy(void *graph) { free(graph); return 0; }
int cuGraphLaunch(void *executable, void *stream) {
    Graph *graph = executable;
    for (int i = 0; i < graph->count; i++) run(&graph->steps[i]);
    return stream == &here ? 0 : 400;
}
int cuGetErrorName(int code, const char **name) { *name = code == 719 ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR"; return 0; }
