/* Runs one signature of a SavedModel by TensorFlow's C API alone.
 *
 *     run_saved_model FOLDER {in TENSOR DTYPE SHAPE FILE}... \
 *         {out TENSOR FILE}...
 *
 * TENSOR is an operation and the number of its output, as "serving_images:0".
 * DTYPE is float, int64 or string; SHAPE is like 2x8x8x1, or "scalar". FILE
 * holds the elements as they are in memory; of strings, each is preceded by its
 * length, 64 bits. The answers' files are written in the same form, and their
 * shapes and types are printed, a line each.
 *
 * Ends with 1 and a line on stderr if anything goes wrong.
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

#define MAX_TENSORS 16
#define MAX_RANK 8

static void fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

static void check(TF_Status* status, const char* what) {
  if (TF_GetCode(status) != TF_OK) fail("%s: %s", what, TF_Message(status));
}

static TF_Output find(TF_Graph* graph, const char* tensor) {
  char name[1024];
  const char* colon = strrchr(tensor, ':');
  if (colon == NULL || colon - tensor >= (long)sizeof name)
    fail("not a tensor: %s", tensor);
  memcpy(name, tensor, colon - tensor);
  name[colon - tensor] = '\0';
  TF_Output output = {TF_GraphOperationByName(graph, name), atoi(colon + 1)};
  if (output.oper == NULL) fail("no operation %s", name);
  return output;
}

static TF_DataType dtype_of(const char* name) {
  if (strcmp(name, "float") == 0) return TF_FLOAT;
  if (strcmp(name, "int64") == 0) return TF_INT64;
  if (strcmp(name, "string") == 0) return TF_STRING;
  fail("unknown dtype %s", name);
  return TF_FLOAT;
}

static int parse_shape(const char* text, int64_t* dims) {
  int rank = 0;
  if (strcmp(text, "scalar") == 0) return 0;
  for (;;) {
    char* end;
    if (rank == MAX_RANK) fail("too many axes: %s", text);
    dims[rank++] = strtoll(text, &end, 10);
    if (*end == '\0') return rank;
    if (*end != 'x' || end == text) fail("not a shape: %s", text);
    text = end + 1;
  }
}

static void read_all(FILE* file, void* to, size_t size, const char* path) {
  if (fread(to, 1, size, file) != size) fail("%s is too short", path);
}

static TF_Tensor* read_tensor(TF_DataType dtype, const char* shape,
                              const char* path) {
  int64_t dims[MAX_RANK];
  int rank = parse_shape(shape, dims);
  int64_t count = 1;
  for (int i = 0; i < rank; ++i) count *= dims[i];
  size_t size = count * TF_DataTypeSize(dtype);
  if (dtype == TF_STRING) size = count * sizeof(TF_TString);
  TF_Tensor* tensor = TF_AllocateTensor(dtype, dims, rank, size);
  FILE* file = fopen(path, "rb");
  if (file == NULL) fail("cannot read %s", path);
  if (dtype != TF_STRING) {
    read_all(file, TF_TensorData(tensor), size, path);
  } else {
    TF_TString* strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < count; ++i) {
      uint64_t length;
      read_all(file, &length, sizeof length, path);
      char* content = malloc(length + 1);
      read_all(file, content, length, path);
      TF_StringInit(&strings[i]);
      TF_StringCopy(&strings[i], content, length);
      free(content);
    }
  }
  if (fgetc(file) != EOF) fail("%s is too long", path);
  fclose(file);
  return tensor;
}

static void write_tensor(const char* name, TF_Tensor* tensor,
                         const char* path) {
  TF_DataType dtype = TF_TensorType(tensor);
  int64_t count = TF_TensorElementCount(tensor);
  FILE* file = fopen(path, "wb");
  if (file == NULL) fail("cannot write %s", path);
  if (dtype != TF_STRING) {
    fwrite(TF_TensorData(tensor), 1, TF_TensorByteSize(tensor), file);
  } else {
    const TF_TString* strings = TF_TensorData(tensor);
    for (int64_t i = 0; i < count; ++i) {
      uint64_t length = TF_StringGetSize(&strings[i]);
      fwrite(&length, sizeof length, 1, file);
      fwrite(TF_StringGetDataPointer(&strings[i]), 1, length, file);
    }
  }
  if (fclose(file) != 0) fail("cannot write %s", path);
  printf("%s %s ", name,
         dtype == TF_FLOAT    ? "float"
         : dtype == TF_INT64  ? "int64"
         : dtype == TF_STRING ? "string"
                              : "other");
  for (int i = 0; i < TF_NumDims(tensor); ++i)
    printf("%s%lld", i ? "x" : "", (long long)TF_Dim(tensor, i));
  printf("\n");
}

int main(int argc, char** argv) {
  if (argc < 2) fail("no folder of a SavedModel");
  TF_Status* status = TF_NewStatus();
  TF_Graph* graph = TF_NewGraph();
  TF_SessionOptions* options = TF_NewSessionOptions();
  const char* tags[] = {"serve"};
  TF_Session* session = TF_LoadSessionFromSavedModel(
      options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, "loading");

  TF_Output inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  TF_Tensor *values[MAX_TENSORS], *answers[MAX_TENSORS];
  const char *names[MAX_TENSORS], *paths[MAX_TENSORS];
  int num_inputs = 0, num_outputs = 0;
  for (int i = 2; i < argc;) {
    if (num_inputs == MAX_TENSORS || num_outputs == MAX_TENSORS)
      fail("too many tensors");
    if (strcmp(argv[i], "in") == 0 && i + 4 < argc) {
      inputs[num_inputs] = find(graph, argv[i + 1]);
      values[num_inputs++] =
          read_tensor(dtype_of(argv[i + 2]), argv[i + 3], argv[i + 4]);
      i += 5;
    } else if (strcmp(argv[i], "out") == 0 && i + 2 < argc) {
      names[num_outputs] = argv[i + 1];
      paths[num_outputs] = argv[i + 2];
      outputs[num_outputs++] = find(graph, argv[i + 1]);
      i += 3;
    } else {
      fail("not understood: %s", argv[i]);
    }
  }

  TF_SessionRun(session, NULL, inputs, values, num_inputs, outputs, answers,
                num_outputs, NULL, 0, NULL, status);
  check(status, "running");
  for (int i = 0; i < num_outputs; ++i)
    write_tensor(names[i], answers[i], paths[i]);

  for (int i = 0; i < num_inputs; ++i) TF_DeleteTensor(values[i]);
  for (int i = 0; i < num_outputs; ++i) TF_DeleteTensor(answers[i]);
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
