"""The one training loop, for every model that is trained by gradient steps.

Resuming is exact because nothing random crosses an epoch: each epoch draws from a stream that is a
function of (seed, path, epoch), and at its end ``best.pt``, then ``last.pt`` are replaced
atomically. A run that is killed anywhere repeats its last epoch and ends in the same state.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from uomh import registry
from uomh.data.core import Data, Split
from uomh.devices import moved
from uomh.errors import UomhError
from uomh.memory import keeping_freed_memory
from uomh.metrics import Value
from uomh.models.trainable import Trainable
from uomh.seeds import preserved, reseed, seeded
from uomh.training import budget
from uomh.training.average import Average
from uomh.training.checkpoints import State
from uomh.training.log import Log
from uomh.training.losses import EpochLosses, NotFiniteError
from uomh.training.meter import Meter
from uomh.training.optim import build_optimizer, learning_rate
from uomh.training.samples import Sampler, save_samples
from uomh.training.scope import Scope
from uomh.training.validation import Validation, metric_name


def train_leaf(scope: Scope, model: Trainable, data: Data) -> None:
    """Train a leaf in its scope, or go on where its checkpoint stands; end with its best weights.

    Raises:
        UomhError: a loss is not finite, a checkpoint is damaged, a setting names no group.
    """
    Leaf(scope, model, data).run()


class Leaf:
    """One leaf in training."""

    def __init__(self, scope: Scope, model: Trainable, data: Data) -> None:
        self.scope = scope
        self.config = model.config.train or scope.config
        self.data = data
        self.model = model
        groups = model.groups()
        for name in self.config.groups:
            if name not in groups:
                raise UomhError(
                    f"train.groups.{name}: {type(model).__name__} has no such group of "
                    f"parameters; it has: {', '.join(groups)}"
                )
        self.groups = {name: group for name, group in groups.items() if group}
        self.settings = {name: self.config.for_group(name) for name in self.groups}
        self.optimizers: dict[str, Optimizer] = {
            name: build_optimizer(self.settings[name], parameters)
            for name, parameters in self.groups.items()
        }
        self.validation = Validation(scope, self.config, model, data)
        self.checkpoints = scope.checkpoints()
        self.log = Log(scope.folder, scope.path, self.config.log)
        self.epoch = 0
        self.step = 0
        self.best: float | None = None
        self.bad_epochs = 0
        self.done = False
        self.average: Average | None = None
        # Without a need it passes losses and steps on as they are.
        device = torch.device(scope.device).type
        self.scaler = GradScaler(device, enabled=model.scales_losses)

    def run(self) -> None:
        """Train, or go on where the checkpoint stands; end with the best weights."""
        with self.checkpoints.alone():
            self.train()
            self.checkpoints.load_weights("best", self.model)
        self.model.eval()

    def train(self) -> None:
        """Train from the start, or from the last checkpoint, to the end."""
        last = self.checkpoints.load("last")
        if last is None:
            with seeded(self.scope.seed, self.scope.path, "prepare"):
                self.model.to("cpu").prepare(self.data)  # where the data are
        self.model.to(self.scope.device)
        if self.config.ema is not None:
            self.average = Average(self.model, self.config.ema)
        if last is not None:
            self.restore(last)
        progress, path = self.scope.progress, self.scope.path
        progress.start(path, self.epoch, self.config.max_epochs, len(self.data.train))
        if self.done:
            progress.stop(path, "was finished before")
        else:
            try:
                self.log.start(self.epoch, self.step)
                memory = budget.for_training(self.model, self.data, self.config, path)
                with preserved(), keeping_freed_memory(), memory:
                    folder, size = self.checkpoints.folder, self.config.batch_size
                    meter = Meter(folder, self.model, self.data, size, last is not None)
                    while not self.done:
                        meter.epoch(self.one_epoch())
            finally:
                self.log.close()
            early = self.epoch < self.config.max_epochs
            progress.stop(path, "stopped early" if early else "finished")

    def one_epoch(self) -> float:
        """Train and validate once over the data; save; the seconds that training took."""
        start = time.perf_counter()
        epoch = self.epoch + 1
        reseed(self.scope.seed, self.scope.path, epoch)
        self.model.before_epoch(self.data, epoch)
        self.model.train()
        values = {"train": self.train_epoch(epoch)}
        for name, label, value in self.model.seen():
            group = None if label is None else self.data.classes[label]
            seen = Value(value, name=name, group=group)
            values["train"][seen.key] = seen
        seconds = time.perf_counter() - start
        self.epoch = epoch
        with self.averaged():
            due = self.validation.is_due(epoch)
            valid = self.validation.values(epoch, self.best is None) if due else {}
            values["valid"] = valid
            self.log.epoch(epoch, self.step, numbers(values), len(self.data.train) / seconds)
            self.show_samples()
            if self.is_better(valid):
                weights = self.model.state_dict()
                self.checkpoints.save("best", {"epoch": epoch, "model": weights})
        self.save()
        self.scope.progress.epoch(self.scope.path, epoch, numbers(values, groups=False), seconds)
        return seconds

    def averaged(self) -> AbstractContextManager[None]:
        """A block in which the model's weights are their average, where one is kept."""
        return nullcontext() if self.average is None else self.average.applied()

    def train_epoch(self, epoch: int) -> dict[str, Value]:
        """One pass over the training split; the mean loss of each group."""
        train = self.data.train
        batches = batch_rows(len(train), self.config.batch_size)
        losses = EpochLosses(self.scope.device)
        try:
            for i, rows in enumerate(batches):
                x, y = self.batch(train, rows)
                progress = epoch - 1 + i / len(batches)
                for group, loss in self.model.losses(x, y, self.step):
                    self.update(group, loss, progress)
                    losses.add(self.step, group, loss)
                if self.average is not None:
                    self.average.update(self.step)
                self.step += 1
                self.scope.progress.advance(self.scope.path, len(rows))
            means = losses.means()
            self.check_weights()
        except NotFiniteError as error:
            kept = "nothing was saved before it"
            if self.epoch:
                kept = f"the checkpoint of epoch {self.epoch} is kept"
            raise UomhError(
                f"{error} at epoch {epoch}, step {error.step} of {self.scope.path!r}; {kept}; "
                "lower train.lr or train.max_grad_norm, or check the scale of the data"
            ) from None
        return {name: Value(value, name=name) for name, value in means.items()}

    def batch(self, split: Split, rows: Tensor) -> tuple[Tensor, Tensor | None]:
        """The points of these rows on the device, and their labels."""
        device = self.scope.device
        x = moved(split.x[rows], device)
        if self.config.horizontal_flip and x.dim() == 4:
            mirrored = torch.rand(len(x), 1, 1, 1, device=device) < 0.5
            x = torch.where(mirrored, x.flip(3), x)
        return x, None if split.y is None else split.y[rows].to(device)

    def update(self, group: str, loss: Tensor, progress: float) -> None:
        """One step of a group's optimiser, on the gradients of its own parameters."""
        optimizer, settings = self.optimizers[group], self.settings[group]
        parameters = self.groups[group]
        optimizer.zero_grad()
        self.scaler.scale(loss).backward(inputs=parameters)
        self.scaler.unscale_(optimizer)
        if settings.max_grad_norm is not None:
            clip_grad_norm_(parameters, settings.max_grad_norm)
        for options in optimizer.param_groups:
            options["lr"] = learning_rate(settings, progress, self.config.max_epochs)
        self.scaler.step(optimizer)
        self.scaler.update()

    def check_weights(self) -> None:
        """See that no weight left the finite numbers."""
        for group, parameters in self.groups.items():
            norms = torch.stack(
                torch._foreach_norm([parameter.detach() for parameter in parameters])
            )
            if not bool(norms.isfinite().all()):
                what = f"a weight of group {group!r} became infinite or not a number"
                raise NotFiniteError(what, self.step)

    def is_better(self, valid: dict[str, Value]) -> bool:
        """Whether these weights are the best so far.

        Until there is a finite value to tell by, the last are; from then on an epoch without one,
        such as one that is not validated, is no better than any.
        """
        name = self.config.selection_metric
        found = valid.get(metric_name(name)) if name is not None else None
        value = None if found is None else found.value
        if name is None or value is None or not math.isfinite(value):
            better = self.best is None
            self.bad_epochs += not better
            return better
        sign = -1 if registry.load("metrics", name).higher_is_better else 1
        if self.best is None or sign * value < sign * self.best:
            self.best, self.bad_epochs = value, 0
            return True
        self.bad_epochs += 1
        return False

    def is_done(self) -> bool:
        """Whether all epochs are behind it, or its patience is at an end."""
        patience = self.config.patience
        out_of_patience = patience is not None and self.bad_epochs >= patience
        return self.epoch >= self.config.max_epochs or (
            out_of_patience and self.validation.is_due(self.epoch)
        )

    def save(self) -> None:
        """Write the checkpoint of the state, after that of the best weights."""
        self.done = self.is_done()
        self.checkpoints.save(
            "last",
            {
                "epoch": self.epoch,
                "step": self.step,
                "best": self.best,
                "bad_epochs": self.bad_epochs,
                "done": self.done,
                "model": self.model.state_dict(),
                "average": self.average and self.average.values,
                "scaler": self.scaler.state_dict(),
                "optimizers": {
                    name: optimizer.state_dict() for name, optimizer in self.optimizers.items()
                },
            },
        )

    def restore(self, state: State) -> None:
        """Take up the state of a checkpoint.

        Raises:
            UomhError: it is of another model, or the best weights are missing.
        """
        if not self.checkpoints.load_weights("best", self.model):
            folder = str(self.checkpoints.folder)
            raise UomhError(
                f"{folder!r} has last.pt but no best.pt, the best weights; restore it from a copy, "
                f"or delete {folder!r} to train this model again"
            )
        try:
            for name in ("epoch", "step", "best", "bad_epochs"):
                setattr(self, name, state[name])
            self.model.load_state_dict(state["model"])
            if self.average is not None:
                self.average.load(state["average"])
            if self.model.scales_losses:
                self.scaler.load_state_dict(state["scaler"])
            for name, optimizer in self.optimizers.items():
                optimizer.load_state_dict(state["optimizers"][name])
        except (KeyError, RuntimeError, TypeError, ValueError, AttributeError):
            raise self.checkpoints.damaged("last") from None
        self.done = self.is_done()  # by the settings of now: a run may be given more epochs

    def show_samples(self) -> None:
        """Draw the grid of samples where one is due."""
        every, folder, model = self.config.sample_every, self.scope.folder, self.model
        if every is None or folder is None or self.epoch % every:
            return
        if not isinstance(model, Sampler):
            return
        with seeded(self.scope.seed, self.scope.path, "samples"), torch.no_grad():
            self.model.eval()
            pixels = save_samples(model, folder / "samples.png")
        if pixels is not None:
            self.log.image("samples", pixels, self.step)


def numbers(
    values: Mapping[str, Mapping[str, Value]], *, groups: bool = True
) -> dict[str, dict[str, float]]:
    """The numbers that there are, by split and key; with or without those of single groups."""
    return {
        split: {
            key: value.value
            for key, value in named.items()
            if value.value is not None and (groups or value.group is None)
        }
        for split, named in values.items()
        if named
    }


def batch_rows(n: int, size: int) -> list[Tensor]:
    """A random order of n rows in batches; a last batch of one joins the one before it.

    Normalisation over a batch has no meaning on a single point.
    """
    batches = list(torch.randperm(n).split(size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
