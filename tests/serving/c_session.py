"""A SavedModel that runs on TensorFlow's C library, without its Python."""

import ctypes
import importlib.util
import pathlib
import sys
import types

import numpy as np

_FOLDER = pathlib.Path(importlib.util.find_spec("tensorflow").origin).parent
_STRING = 7  # TF_STRING
_TYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 9: np.int64}
_STRING_BYTES = 24  # sizeof(TF_TString)


def use_messages_alone():
    """Lets the messages of TensorFlow be imported without TensorFlow.

    Its Python and its C library cannot both be loaded into one process.
    """
    package = types.ModuleType("tensorflow")
    package.__path__ = [str(_FOLDER)]
    sys.modules["tensorflow"] = package


class _Output(ctypes.Structure):
    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


class _Buffer(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("length", ctypes.c_size_t),
        ("deallocator", ctypes.c_void_p),
    ]


class InvalidArgumentError(ValueError):
    """What TensorFlow says of wrong inputs."""


_LIBRARY = ctypes.CDLL(str(_FOLDER / "libtensorflow_cc.so.2"))


def _function(name, result, *arguments):
    function = getattr(_LIBRARY, name)
    function.restype, function.argtypes = result, arguments
    return function


_pointer, _size, _int = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
_new_status = _function("TF_NewStatus", _pointer)
_delete_status = _function("TF_DeleteStatus", None, _pointer)
_code = _function("TF_GetCode", _int, _pointer)
_message = _function("TF_Message", ctypes.c_char_p, _pointer)
_new_options = _function("TF_NewSessionOptions", _pointer)
_new_graph = _function("TF_NewGraph", _pointer)
_new_buffer = _function("TF_NewBuffer", ctypes.POINTER(_Buffer))
_load = _function(
    "TF_LoadSessionFromSavedModel",
    _pointer,
    *(_pointer, _pointer, ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)),
    *(_int, _pointer, ctypes.POINTER(_Buffer), _pointer),
)
_operation = _function(
    "TF_GraphOperationByName", _pointer, _pointer, ctypes.c_char_p
)
_run = _function(
    "TF_SessionRun",
    *(None, _pointer, _pointer),
    *(ctypes.POINTER(_Output), ctypes.POINTER(_pointer), _int),
    *(ctypes.POINTER(_Output), ctypes.POINTER(_pointer), _int),
    *(_pointer, _int, _pointer, _pointer),
)
_allocate = _function(
    "TF_AllocateTensor",
    *(_pointer, _int, ctypes.POINTER(ctypes.c_int64), _int, _size),
)
_delete_tensor = _function("TF_DeleteTensor", None, _pointer)
_data = _function("TF_TensorData", _pointer, _pointer)
_num_bytes = _function("TF_TensorByteSize", _size, _pointer)
_type = _function("TF_TensorType", _int, _pointer)
_rank = _function("TF_NumDims", _int, _pointer)
_dim = _function("TF_Dim", ctypes.c_int64, _pointer, _int)
_string_init = _function("TF_StringInit", None, _pointer)
_string_copy = _function(
    "TF_StringCopy", None, _pointer, ctypes.c_char_p, _size
)
_string_data = _function("TF_StringGetDataPointer", _pointer, _pointer)
_string_size = _function("TF_StringGetSize", _size, _pointer)


class CSession:
    """A SavedModel in a session of the C library."""

    def __init__(self, folder):
        from tensorflow.core.protobuf import meta_graph_pb2

        self._graph = _new_graph()
        buffer = _new_buffer()
        tags = (ctypes.c_char_p * 1)(b"serve")
        self._session = _checked(
            _load,
            *(_new_options(), None, str(folder).encode(), tags, 1),
            *(self._graph, buffer),
        )
        meta_graph = meta_graph_pb2.MetaGraphDef()
        meta_graph.ParseFromString(
            ctypes.string_at(buffer.contents.data, buffer.contents.length)
        )
        self.signatures = {
            name: signature
            for name, signature in meta_graph.signature_def.items()
            if not name.startswith("__")
        }

    def run(self, signature_name, inputs):
        """Returns the outputs of a signature: arrays by name."""
        signature = self.signatures[signature_name]
        names = list(signature.outputs)
        tensors = [_tensor(array) for array in inputs.values()]
        results = (_pointer * len(names))()
        try:
            _checked(
                _run,
                *(self._session, None),
                self._places(signature.inputs, list(inputs)),
                (_pointer * len(tensors))(*tensors),
                len(tensors),
                self._places(signature.outputs, names),
                *(results, len(names), None, 0, None),
            )
            return {
                name: _array(result)
                for name, result in zip(names, results, strict=True)
            }
        finally:
            for tensor in (*tensors, *filter(None, results)):
                _delete_tensor(tensor)

    def _places(self, infos, names):
        places = (_Output * len(names))()
        for place, name in zip(places, names, strict=True):
            operation, _, index = infos[name].name.partition(":")
            place.operation = _operation(self._graph, operation.encode())
            place.index = int(index)
        return places


def _checked(function, *arguments):
    status = _new_status()
    try:
        result = function(*arguments, status)
        if code := _code(status):
            text = _message(status).decode(errors="replace")
            raise (InvalidArgumentError if code == 3 else RuntimeError)(text)
        return result
    finally:
        _delete_status(status)


def _tensor(array):
    dims = (ctypes.c_int64 * array.ndim)(*array.shape)
    if array.dtype == object:  # bytes
        number = _STRING
        num_bytes = array.size * _STRING_BYTES
    else:
        number = next(n for n, t in _TYPES.items() if array.dtype == t)
        num_bytes = array.nbytes
    tensor = _allocate(number, dims, array.ndim, num_bytes)
    if number == _STRING:
        for i, value in enumerate(array.ravel()):
            place = _data(tensor) + i * _STRING_BYTES
            _string_init(place)
            _string_copy(place, value, len(value))
    else:
        data = np.ascontiguousarray(array).tobytes()
        ctypes.memmove(_data(tensor), data, len(data))
    return tensor


def _array(tensor):
    shape = [_dim(tensor, i) for i in range(_rank(tensor))]
    if _type(tensor) != _STRING:
        data = ctypes.string_at(_data(tensor), _num_bytes(tensor))
        return np.frombuffer(data, _TYPES[_type(tensor)]).reshape(shape)
    values = np.empty(int(np.prod(shape)), object)
    for i in range(values.size):
        place = _data(tensor) + i * _STRING_BYTES
        values[i] = ctypes.string_at(_string_data(place), _string_size(place))
    return values.reshape(shape)
