/* The part of TensorFlow Lite's C interface (tflite/core/c/common.h) that a delegate touches, member by member in its
 * order: it is the same in tflite-runtime 2.14 and in LiteRT 2.1 to 2.3. Members that the tests leave alone are void*. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { kOk = 0, kError = 1 } Status;
enum { kFloat32 = 1, kBuiltinAdd = 0, kBuiltinDelegate = 51, kNoActivation = 0 };

typedef struct { int size; int data[]; } IntArray;
typedef struct { float scale; int32_t zero_point; } QuantizationParams;
typedef struct { int type; void* params; } Quantization;

typedef struct Tensor {
  int type;
  union { float* f; void* raw; } data;
  IntArray* dims;
  QuantizationParams params;
  int allocation_type;
  size_t bytes;
  const void* allocation;
  const char* name;
  struct Delegate* delegate;
  int buffer_handle;
  bool data_is_stale;
  bool is_variable;
  Quantization quantization;
  void* sparsity;
  const IntArray* dims_signature;
} Tensor;

typedef struct Node {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  struct Delegate* delegate;
  bool might_have_side_effect;
} Node;

struct Registration;
typedef struct Context {
  size_t tensors_size;
  Status (*GetExecutionPlan)(struct Context*, IntArray**);
  Tensor* tensors;
  void* impl;
  void* ResizeTensor;
  void (*ReportError)(struct Context*, const char*, ...);
  void* AddTensors;
  Status (*GetNodeAndRegistration)(struct Context*, int, Node**, struct Registration**);
  Status (*ReplaceNodeSubsetsWithDelegateKernels)(struct Context*, struct Registration, const IntArray*,
                                                  struct Delegate*);
} Context;

typedef struct Registration {
  void* (*init)(Context*, const char*, size_t);
  void (*free)(Context*, void*);
  Status (*prepare)(Context*, Node*);
  Status (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
} Registration;

typedef struct Delegate {
  void* data;
  Status (*Prepare)(Context*, struct Delegate*);
  void *CopyFromBufferHandle, *CopyToBufferHandle, *FreeBufferHandle;
  int64_t flags;
  void* opaque_delegate_builder;
} Delegate;

/* What init of a delegate's kernel is given. */
typedef struct { Delegate* delegate; IntArray *nodes_to_replace, *input_tensors, *output_tensors; } DelegateParams;
