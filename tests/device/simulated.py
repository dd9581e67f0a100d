"""A device that is not there: tensors of the processor that behave as if they were on another.

A device is where the memory of a tensor is, so the simulation remembers of each storage whether it
is there: views, parameters and gradients follow by themselves. One mode below autograd sees each
operation, refuses those between memories, and remembers where results are; one above it answers
what programs ask (`x.device`), and moves tensors. As CUDA does, it takes scalars (no axes) and
indices of the processor. What it cannot show is which kernels a real device has, and how it rounds.
"""

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten, functorch = torch.ops.aten, torch._C._functorch
INDEXED = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_}
JOINED = {aten.stack, aten.cat}  # take not even scalars of another device
COPIES = {aten.copy_, aten._foreach_copy_, aten._to_copy}
WAITS = {aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal}
UNCOUNTED = {"one_hot", "__deepcopy__"}  # look at labels on the processor alone; copy storages


def tensors_in(*nested):
    return [leaf for leaf in tree_leaves(nested) if isinstance(leaf, Tensor)]


class Simulated(TorchFunctionMode):
    """In a block `with`, a device of the kind exists; `reads`: what the host read or waited for."""

    def __init__(self, kind):
        self.device, self.reads, self.storages = torch.device(kind, 0), [], {}
        self.on_behalf = False  # of a tensor of the device: what C++ makes meanwhile is there, too
        self.below = Below(self)

    def __enter__(self):
        self.below.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.below.__exit__(*error)

    def storage(self, x):
        while functorch.is_functorch_wrapped_tensor(x):
            x = functorch.get_unwrapped(x)
        return x.untyped_storage()

    def has(self, x):
        kept = self.storages.get(self.storage(x)._cdata)
        return kept is not None and not kept.expired()

    def keep(self, x, there=True):
        storage = self.storage(x)
        self.storages.pop(storage._cdata, None)
        if there and storage.device.type == "cpu":
            if self.device.type == "mps" and x.dtype == torch.float64:
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype")
            self.storages[storage._cdata] = StorageWeakRef(storage)

    def is_it(self, name):
        return torch.device(name).type == self.device.type

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs, name = dict(kwargs or {}), getattr(func, "__name__", "")
        first = args[0] if args and isinstance(args[0], Tensor) else None
        there = first is not None and self.has(first)
        if name == "__get__":
            return self.device if there and func == Tensor.device.__get__ else func(*args, **kwargs)
        if first is not None and name in ("to", "cpu"):
            return self.to(name, func, *args, **kwargs)
        if there and name in ("numpy", "__array__"):
            raise TypeError(f"can't convert {self.device} device type tensor to numpy")
        if there and name == "tolist":
            self.reads.append(name)
        target, count = kwargs.get("device"), len(self.reads)
        if target is not None and torch.device(target).type != "meta":
            out = func(*args, **{**kwargs, "device": "cpu"})
            self.keep(out, self.is_it(target))
            return out
        before, self.on_behalf = self.on_behalf, any(map(self.has, tensors_in(args, kwargs)))
        try:
            out = func(*args, **kwargs)
        finally:
            self.on_behalf = before
        if name in UNCOUNTED:
            del self.reads[count:]
            self.keep(out, there)
        return out

    def to(self, name, func, x, *args, **kwargs):
        there, dtype = self.has(x) and name != "cpu", kwargs.get("dtype", x.dtype)
        for value in (*args, *kwargs.values()):
            if isinstance(value, str | torch.device):
                if torch.device(value).type == "meta":
                    return func(x, *args, **kwargs)
                there = self.is_it(value)
            elif isinstance(value, Tensor):
                there, dtype = self.has(value), value.dtype
            elif isinstance(value, torch.dtype):
                dtype = value
        if self.has(x) == there:
            return x.to(dtype)
        if not there:
            self.reads.append("to the host")
        moved = x.clone().to(dtype) if self.has(x) else x.to(dtype).clone()
        self.keep(moved, there)
        return moved


class Below(TorchDispatchMode):
    def __init__(self, above):
        super().__init__()
        self.above = above

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        above, kwargs = self.above, kwargs or {}
        given = tensors_in(args, kwargs)
        there = list(map(above.has, given))
        if any(there):
            self.check(func, func.overloadpacket, given, there)
        out = func(*args, **kwargs)
        if any(there) or (above.on_behalf and not given):
            known = {above.storage(x)._cdata for x in given}
            for x in tensors_in(out):
                if above.storage(x)._cdata not in known:
                    above.keep(x)
        return out

    def check(self, func, packet, given, there):
        masked = packet is aten.index and any(x.dtype == torch.bool for x in given[1:])
        if packet in WAITS or masked or (packet in COPIES and there[1:2] == [True] != there[:1]):
            self.above.reads.append(str(packet))
        apart = [x for x, here in zip(given, there, strict=True) if not here]
        if packet in INDEXED and there[0]:
            apart = [x for x in apart if x.dtype not in (torch.int64, torch.bool)]
        scalars = packet not in JOINED and (there[0] or not func._schema.is_mutable)
        if packet not in COPIES and any(x.dim() or not scalars for x in apart):
            raise RuntimeError(
                "Expected all tensors to be on the same device, but found at least two devices, "
                f"{self.above.device} and cpu! (in {packet})"
            )


def simulated(kind, patch):
    """A simulated device that torch finds on this machine; `patch` is monkeypatch."""
    group, autocast = torch._C._group_tensors_by_device_and_dtype, torch.autocast

    def grouped(lists, indices=False):
        found = group(lists, indices)
        return {(value[0][0][0].device, key[1]): value for key, value in found.items()}

    patch.setattr(torch._C, "_group_tensors_by_device_and_dtype", grouped)
    patch.setattr(torch, "autocast", lambda kind, *args, **kwargs: autocast("cpu", *args, **kwargs))
    patch.setattr(torch.cuda, "is_available", lambda: kind == "cuda")
    patch.setattr(torch.cuda, "device_count", lambda: int(kind == "cuda"))
    patch.setattr(torch.cuda, "get_device_name", lambda *device: "simulated")
    patch.setattr(torch.cuda, "mem_get_info", lambda *device: (1 << 33, 1 << 33))
    patch.setattr(torch.backends.mps, "is_available", lambda: kind == "mps")
    patch.setattr(torch.mps, "_get_default_mps_generator", torch.Generator)
    return Simulated(kind)
