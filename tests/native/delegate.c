/* A real external delegate: it claims float ADDs of two tensors of one shape and computes them.
 *
 * Options: `limit` claims at most so many ops; `mode` makes it fail where a broken driver would:
 * null, null_silent (create returns nothing), fail_prepare, fail_invoke, crash_create, crash_prepare, crash_invoke,
 * crash_destroy, hang_create, wrong (answers are 1 too large). Another option is refused.
 * -DUNSAFE_DESTROY leaves out the check for NULL that careless drivers leave out. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tflite_abi.h"

#define EXPORT __attribute__((visibility("default")))
#define MOST 1024

typedef struct { char mode[32]; int limit; } Options;
typedef struct { int left, right, out; } Sum;
typedef struct { const Options* options; int count; Sum sums[]; } Kernel;

static bool is(const Options* options, const char* mode) { return strcmp(options->mode, mode) == 0; }

static void* init(Context* context, const char* buffer, size_t length) {
  (void)length;
  const DelegateParams* params = (const DelegateParams*)buffer;
  int count = params->nodes_to_replace->size;
  Kernel* kernel = calloc(1, sizeof(Kernel) + (size_t)count * sizeof(Sum));
  kernel->options = params->delegate->data;
  kernel->count = count;
  for (int i = 0; i < count; i++) {
    Node* node;
    Registration* registration;
    context->GetNodeAndRegistration(context, params->nodes_to_replace->data[i], &node, &registration);
    kernel->sums[i] = (Sum){node->inputs->data[0], node->inputs->data[1], node->outputs->data[0]};
  }
  return kernel;
}

static void release(Context* context, void* kernel) { (void)context; free(kernel); }

static Status prepare(Context* context, Node* node) { (void)context; (void)node; return kOk; }

static Status invoke(Context* context, Node* node) {
  Kernel* kernel = node->user_data;
  if (is(kernel->options, "crash_invoke")) raise(SIGSEGV);
  if (is(kernel->options, "fail_invoke")) {
    context->ReportError(context, "test delegate: the device went away");
    return kError;
  }
  float offset = is(kernel->options, "wrong") ? 1.0f : 0.0f;
  for (int i = 0; i < kernel->count; i++) {
    Sum sum = kernel->sums[i];
    Tensor *left = &context->tensors[sum.left], *right = &context->tensors[sum.right], *out = &context->tensors[sum.out];
    for (size_t at = 0; at < out->bytes / sizeof(float); at++)
      out->data.f[at] = left->data.f[at] + right->data.f[at] + offset;
  }
  return kOk;
}

static bool claims(Context* context, const Node* node, const Registration* registration) {
  if (registration->builtin_code != kBuiltinAdd || node->inputs->size != 2) return false;
  Tensor *left = &context->tensors[node->inputs->data[0]], *right = &context->tensors[node->inputs->data[1]];
  /* The first member of TfLiteAddParams is the fused activation. */
  return left->type == kFloat32 && left->bytes == right->bytes && *(int*)node->builtin_data == kNoActivation;
}

static Status delegate_prepare(Context* context, Delegate* delegate) {
  Options* options = delegate->data;
  if (is(options, "crash_prepare")) raise(SIGSEGV);
  if (is(options, "fail_prepare")) {
    context->ReportError(context, "test delegate: out of device memory");
    return kError;
  }
  IntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != kOk) return kError;
  IntArray* taken = calloc(MOST + 1, sizeof(int));
  int size = plan->size;
  for (int i = 0; i < size && taken->size < options->limit; i++) {
    Node* node;
    Registration* registration;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) != kOk) return kError;
    if (claims(context, node, registration)) taken->data[taken->size++] = plan->data[i];
  }
  Registration kernel = {.init = init, .free = release, .prepare = prepare, .invoke = invoke, .version = 1,
                         .builtin_code = kBuiltinDelegate, .custom_name = "TestDelegate"};
  Status status = taken->size ? context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, taken, delegate) : kOk;
  free(taken);
  return status;
}

static bool set(Options* options, const char* key, const char* value) {
  if (strcmp(key, "mode") == 0) snprintf(options->mode, sizeof options->mode, "%s", value);
  else if (strcmp(key, "limit") == 0) options->limit = atoi(value) < MOST ? atoi(value) : MOST;
  else return false;
  return true;
}

EXPORT Delegate* tflite_plugin_create_delegate(const char* const* keys, const char* const* values, size_t count,
                                               void (*report_error)(const char*)) {
  Options* options = calloc(1, sizeof *options);
  options->limit = MOST;
  for (size_t i = 0; i < count; i++) {
    if (set(options, keys[i], values[i])) continue;
    char text[128];
    snprintf(text, sizeof text, "test delegate: unknown option %s", keys[i]);
    report_error(text);
    free(options);
    return NULL;
  }
  if (is(options, "null")) report_error("test delegate: no device /dev/test0");
  if (is(options, "null") || is(options, "null_silent")) return NULL;
  if (is(options, "crash_create")) abort();
  if (is(options, "hang_create")) for (;;) pause();
  Delegate* delegate = calloc(1, sizeof *delegate);
  delegate->data = options;
  delegate->Prepare = delegate_prepare;
  return delegate;
}

EXPORT void tflite_plugin_destroy_delegate(Delegate* delegate) {
#ifndef UNSAFE_DESTROY
  if (!delegate) return;
#endif
  if (is(delegate->data, "crash_destroy")) raise(SIGSEGV);
  free(delegate->data);
  free(delegate);
}
