"""A device that is not there: tensors of the processor that behave as if they were on another.

A device is where the memory of a tensor is, so the simulation remembers of each storage whether it
is there: views, parameters and gradients follow by themselves. One mode below autograd sees each
operation, refuses those between memories, and remembers where results are; one above it answers
what programs ask (`x.device`), and moves tensors.

It does what CUDA does: scalars (no axes) of the processor may be mixed in, and so may indices.
What it cannot show is whether a kernel exists on a real device, and what it rounds.
"""

import contextlib

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten
INDEXED = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
JOINED = {aten.stack, aten.cat}
"""operations that take not even scalars of another device"""
COPIES = {aten.copy_, aten._foreach_copy_, aten._to_copy}
WAITS = {aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal}
"""operations whose end the host waits for"""


def tensors_in(*nested):
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


class Simulated(TorchFunctionMode):
    """In a block `with`, the device `kind` exists.

    Attributes:
        reads: what the host read from the device or waited for, in order.
    """

    def __init__(self, kind="cuda"):
        self.device = torch.device(kind, 0)
        self.reads = []
        self.storages = {}
        self.on_behalf = False  # of a tensor of the device: what C++ makes meanwhile is there, too
        self.below = _Below(self)

    def __enter__(self):
        self.below.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.below.__exit__(*error)

    def has(self, x):
        """Whether a tensor is on the device."""
        while torch._C._functorch.is_functorch_wrapped_tensor(x):
            x = torch._C._functorch.get_unwrapped(x)
        if x.device.type == "meta":
            return False
        kept = self.storages.get(x.untyped_storage()._cdata)
        return kept is not None and not kept.expired()

    def keep(self, x, there=True):
        """Remember where a new tensor is."""
        while torch._C._functorch.is_functorch_wrapped_tensor(x):
            x = torch._C._functorch.get_unwrapped(x)
        key = x.untyped_storage()._cdata
        if not there:
            self.storages.pop(key, None)
        elif x.device.type != "meta":
            if self.device.type == "mps" and x.dtype in (torch.float64, torch.complex128):
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
            self.storages[key] = StorageWeakRef(x.untyped_storage())

    def moved(self, x, there, dtype=None, copy=False):
        """What `x.to` gives."""
        with self.placed(x):
            y = x if dtype is None else x.to(dtype)
        if self.has(x) == there:
            return y.clone() if copy and y is x else y
        if not there:
            self.reads.append("to the host")
        with self.below.off():
            y = y.clone()
        self.keep(y, there)
        return y

    @contextlib.contextmanager
    def placed(self, *nested):
        before, self.on_behalf = self.on_behalf, any(map(self.has, tensors_in(nested)))
        try:
            yield
        finally:
            self.on_behalf = before

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if name == "__get__":
            asked = func == Tensor.device.__get__ and self.has(first)
            return self.device if asked else func(*args, **kwargs)
        if first is not None and name in ("to", "cpu", "cuda"):
            return self._to(func, name, first, args[1:], kwargs)
        if first is not None and name in ("numpy", "__array__", "tolist") and self.has(first):
            if name != "tolist":
                raise TypeError(f"can't convert {self.device} device type tensor to numpy")
            self.reads.append(name)
        target = kwargs.get("device")
        if target is None or torch.device(target).type == "meta":
            before = len(self.reads)
            with self.placed(args, kwargs):
                out = func(*args, **kwargs)
            if name == "one_hot":  # looks at the range of labels on the processor alone
                del self.reads[before:]
            if name == "__deepcopy__":  # copies a storage
                del self.reads[before:]
                self.keep(out, self.has(first))
            return out
        there = torch.device(target).type == self.device.type
        out = func(*args, **{**kwargs, "device": "cpu"})
        if tensors_in(args) and func in (torch.as_tensor, torch.asarray):
            return self.moved(out, there)
        self.keep(out, there)
        return out

    def _to(self, func, name, x, args, kwargs):
        there, dtype = self.has(x), kwargs.get("dtype")
        for value in ({"cpu": "cpu", "cuda": "cuda"}.get(name), *args, kwargs.get("device")):
            if isinstance(value, str | torch.device):
                if torch.device(value).type == "meta":
                    return func(x, *args, **kwargs)
                there = torch.device(value).type == self.device.type
            elif isinstance(value, Tensor):
                there, dtype = self.has(value), value.dtype
            elif isinstance(value, torch.dtype):
                dtype = value
        return self.moved(x, there, dtype, kwargs.get("copy", False))


class _Below(TorchDispatchMode):
    def __init__(self, above):
        super().__init__()
        self.above = above
        self.quiet = False

    @contextlib.contextmanager
    def off(self):
        self.quiet = True
        try:
            yield
        finally:
            self.quiet = False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = tensors_in(args, kwargs)
        if self.quiet or any(x.device.type == "meta" for x in given):
            return func(*args, **kwargs)
        there = list(map(self.above.has, given))
        self.check(func, given, there)
        out = func(*args, **kwargs)
        made = self.above.on_behalf and not given
        if made or any(there):
            known = {x.untyped_storage()._cdata for x in given}
            for x in tensors_in(out):
                if x.untyped_storage()._cdata not in known:
                    self.above.keep(x)
        return out

    def check(self, func, given, there):
        packet = func.overloadpacket
        waits = packet in WAITS or (
            packet is aten.index and any(x.dtype == torch.bool for x in given[1:])
        )
        copied = packet in COPIES and len(there) > 1 and there[1] and not there[0]
        if any(there) and (waits or copied):
            self.above.reads.append(str(packet))
        if packet in COPIES or not any(there):
            return
        apart = [x for x, here in zip(given, there, strict=True) if not here]
        if packet in INDEXED and there[0]:
            apart = [x for x in apart if x.dtype not in (torch.int64, torch.bool)]
        scalars = packet not in JOINED and (there[0] or not func._schema.is_mutable)
        if any(x.dim() or not scalars for x in apart):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{self.above.device} and cpu! (in {packet}, {[tuple(x.shape) for x in apart]})"
            )


def simulated(kind, patch):
    """A simulated device that torch finds on this machine, in a block `with`; patch: monkeypatch."""
    device, group, autocast = (
        Simulated(kind),
        torch._C._group_tensors_by_device_and_dtype,
        torch.autocast,
    )
    patch.setattr(torch.cuda, "is_available", lambda: kind == "cuda")
    patch.setattr(torch.cuda, "device_count", lambda: int(kind == "cuda"))
    patch.setattr(torch.cuda, "get_device_name", lambda *device: "simulated")
    patch.setattr(torch.cuda, "mem_get_info", lambda *device: (1 << 33, 1 << 33))
    patch.setattr(torch.backends.mps, "is_available", lambda: kind == "mps")
    patch.setattr(torch.mps, "_get_default_mps_generator", torch.Generator)
    patch.setattr(torch, "autocast", lambda kind, *args, **kwargs: autocast("cpu", *args, **kwargs))

    def grouped(lists, indices=False):
        found = group(lists, indices)
        return {(value[0][0][0].device, key[1]): value for key, value in found.items()}

    patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", grouped)
    return device
