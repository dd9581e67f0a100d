"""From the flags and options of one of the paper's commands to the settings of a run."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uomh.cli.paper import tree
from uomh.cli.paper.clusters import (
    CONDITIONING,
    Shared,
    classes_kept,
    cluster_meant,
    of_steps,
    sequential,
    shared_files,
    shared_meant,
    without,
)
from uomh.cli.paper.defaults import published
from uomh.cli.paper.flags import device_of
from uomh.cli.paper.metrics import Evaluators, names_of
from uomh.cli.paper.options import FACTS, meant, of_density
from uomh.cli.paper.reading import Given, Options, Values, parse, without_effect
from uomh.data import DataConfig, load_data
from uomh.errors import UomhError
from uomh.settings import merged

if TYPE_CHECKING:
    from uomh.cli.paper.command import Command
    from uomh.data.core import Data, DataSpec


@dataclass(frozen=True)
class Resolved:
    """What a command line means.

    Attributes:
        values: by section, for `uomh.cli.paper.tree`.
        notes: lines to say.
        shared: files that several commands share.
    """

    values: Values
    notes: tuple[str, ...]
    shared: Shared


def parsed(command: Command, given: argparse.Namespace) -> Options:
    """The options of a command line, by flag and name."""
    return {
        kind: parse(getattr(given, kind.replace("-", "_")), f"--{kind}") for kind in command.kinds
    }


def evaluators(command: Command, options: Options) -> Evaluators:
    """Whose metrics each ``test_metrics`` are; see `uomh.cli.paper.metrics`."""

    def asked(kind: str) -> tuple[str, ...] | None:
        some = options.get(kind, {})
        return names_of(some["test_metrics"]) if "test_metrics" in some else None

    middle = asked("shared-config" if command.two_step else "config")
    steps = {step: names for step in ("gae", "de") if (names := asked(f"{step}-config"))}
    if command.clustered:
        return Evaluators(asked("cluster-config"), middle, steps)
    return Evaluators(middle, None, steps)


def resolved(command: Command, given: argparse.Namespace, options: Options) -> Resolved:
    """The settings that a command line means, with the published defaults beneath.

    Raises:
        UomhError: an option is unknown, or has a value that cannot be had; the data cannot be
            loaded.
    """
    found = Resolving(command, given, options)
    return Resolved(found.values(), tuple(found.notes), shared_files(found.cluster))


class Resolving:
    """One command line on its way to settings; collects the lines to say."""

    def __init__(self, command: Command, given: argparse.Namespace, options: Options) -> None:
        self.command = command
        self.given = given
        self.options = options
        self.notes: list[str] = []
        self.cluster = dict(options["cluster-config"])
        if command.clustered:
            self.cluster.setdefault("cluster_method", "class")
        self.pretrained = self._pretrained()
        self.model = given.model or "vae"
        if command.two_step:
            self.model = given.gae_model or given.model or "vae"
            if self.pretrained:
                self.model = self.pretrained["model"]["name"]

    def values(self) -> Values:
        """Nested values of ours."""
        before, typed = list(self.notes), self._values(None)
        device, lines = device_of(self.given.gpu_id, typed.get("device"))
        notes = [*before, *lines]
        data = load_data(DataConfig.of(typed["data"], "data"))
        self.notes = notes  # the second time with defaults, so that all lines are said once
        values = merged(self._values(data.spec), {"device": device})
        groups = values.get("clusters", {}).get("name")
        if groups == "class":
            kept = classes_kept(self.cluster, data, values["data"].get("class_ind"))
            self.notes += kept.notes
            values = merged(values, kept.values)
        elif groups and groups != "saved":
            self._say_number(values, data)
        self._check_facts(values, data)
        return values

    def _values(self, spec: DataSpec | None) -> Values:
        """All settings; without a spec, those that follow from what was typed alone."""
        values: Values = {"data": {"dataset": self.given.dataset or "mnist"}}
        if self.pretrained:
            values = merged(values, self.pretrained)
        values = merged(values, self._two_steps(spec) if self.command.two_step else self._one(spec))
        conditional = "clusters" in values and not self.command.clustered
        cluster = without(self.cluster, CONDITIONING)
        if self.command.clustered:
            if any(values.get(model, {}).get("conditional") for model in ("model", "density")):
                raise UomhError(
                    "conditioning: the model of a cluster has no labels left to be conditional on; "
                    "leave it out, or take single_main.py or main.py"
                )
            values["disconnected"] = True
        elif conditional:
            how = values["clusters"]["name"]
            if cluster.get("cluster_method", how) != how:
                why = f"conditioning says {how}"
                self.notes.append(without_effect("--cluster-config", "cluster_method", why))
            cluster["cluster_method"] = how
            if "num_clusters" in values["clusters"] and "num_clusters" in cluster:
                why = "conditioning_dimension says the number of groups"
                self.notes.append(without_effect("--cluster-config", "num_clusters", why))
                del cluster["num_clusters"]
        found = cluster_meant(
            cluster,
            self.command.name,
            clustered=self.command.clustered,
            fits_codes=self.command.two_step and self.command.clustered,
            grouped=self.command.clustered or conditional,
        )
        self.notes += found.notes
        return merged(values, found.values)

    def _one(self, spec: DataSpec | None) -> Values:
        typed = {**self._conditioning(), **self.options["config"]}
        if self.command.clustered:
            typed.pop("test_metrics", None)  # of the parts
        found = self._meant(
            typed,
            "config",
            self.model,
            spec,
            autoencoder=self.given.is_gae,
            defaults=spec is not None,
        )
        return merged({"model": {"name": self.model}}, found)

    def _two_steps(self, spec: DataSpec | None) -> Values:
        shared = self.options["shared-config"]
        second = self.given.de_model or "flow"
        if self.given.de_model is None:
            self.notes.append("second step: flow (name another by --de-model)")
        alternating = not sequential(shared)
        first_options, lines = of_steps(self.options["gae-config"], "--gae-config", alternating)
        second_options, more = of_steps(self.options["de-config"], "--de-config", alternating)
        self.notes += [*lines, *more]
        conditioning = {name: shared[name] for name in CONDITIONING if name in shared}
        conditioning = {**self._conditioning(), **conditioning}
        first_options = without({**conditioning, **first_options}, ["test_metrics"])
        second_options = without(second_options, ["test_metrics"])
        first = self._meant(
            first_options,
            "gae-config",
            self.model,
            spec,
            autoencoder=True,
            defaults=spec is not None and not self.pretrained,
        )
        of_codes = self._meant(
            second_options, "de-config", second, None, autoencoder=False, defaults=spec is not None
        )
        if self.command.clustered:
            shared = without(shared, ["test_metrics"])  # of the parts
        of_shared = shared_meant(shared)
        self.notes += of_shared.notes
        turns: Values = {}
        if alternating and spec is not None:
            turns = {"train": {"max_epochs": 100}}
        named = {"model": {"name": self.model}, "density": {"name": second}}
        values = merged(named, first, of_density(of_codes), turns, of_shared.values)
        if self.pretrained:
            steps = {
                "autoencoder_run": self.given.load_dir,
                "freeze": self.given.freeze_pretrained_gae,
            }
            values = merged(values, {"two_step": steps})
        return values

    def _meant(
        self,
        typed: Given,
        kind: str,
        model: str,
        spec: DataSpec | None,
        *,
        autoencoder: bool,
        defaults: bool,
    ) -> Values:
        """What options of one model mean, over the published defaults where they are wanted."""
        plain = without(typed, FACTS)
        whole = published(model, plain, spec, autoencoder=autoencoder) if defaults else plain
        flags = {
            name: f"--{flag}"
            for flag in ("cluster-config", "shared-config", kind)
            for name in CONDITIONING
            if name in self.options.get(flag, {})
        }
        found = meant(whole, model, f"--{kind}", plain, flags)
        self.notes += found.notes
        return found.values

    def _conditioning(self) -> Values:
        return {name: self.cluster[name] for name in CONDITIONING if name in self.cluster}

    def _say_number(self, values: Values, data: Data) -> None:
        number = values["clusters"].get("num_clusters")
        if number is None and len(data.classes) not in (0, 10):
            self.notes.append(
                f"num_clusters: {len(data.classes)}, as {data.name} has classes "
                "(the paper's code takes 10)"
            )

    def _pretrained(self) -> Values:
        """The data and the autoencoder of the run of --load-dir, with --load-pretrained-gae."""
        if not getattr(self.given, "load_pretrained_gae", False) or self.given.load_dir is None:
            return {}
        from uomh.training.folder import read_config_file

        folder = Path(self.given.load_dir)
        record = read_config_file(folder)
        if record is None:
            raise UomhError(f"there is no run in {str(folder)!r}; check --load-dir")
        config = tree.sections(record.asked)
        there = config["data"]["dataset"]
        for flag, value, known in (
            ("--dataset", self.given.dataset, there),
            ("--gae-model", self.given.gae_model or self.given.model, config["model"]["name"]),
        ):
            if value not in (None, known):
                self.notes.append(f"{flag} {value}: it is {known}, as in the run of --load-dir")
        taken: Values = {key: config[key] for key in ("data", "model", "train")}
        taken |= {key: config[key] for key in ("latent_dim", "latent_k")}
        if (
            config["clusters"] is not None
            and "cluster_method" not in self.options["cluster-config"]
        ):
            self.cluster.pop("cluster_method", None)
            taken["clusters"] = config["clusters"]
        return taken

    def _check_facts(self, values: Values, data: Data) -> None:
        """See that options that repeat what the run is say the same."""
        second = values.get("density", {}).get("name")
        facts = {
            "dataset": values["data"]["dataset"],
            "model": self.model,
            "gae": self.model,
            "generalized_autoencoder": self.model,
            "density_estimator": second if self.command.two_step else self.model,
        }
        for kind, options in self.options.items():
            sizes: dict[str, Any] = dict(facts)
            if kind == "de-config":
                sizes |= {"model": second}
                sizes["data_dim"] = values.get("model", {}).get(
                    "latent_dim", options.get("data_dim")
                )
            else:
                sizes["data_dim"] = math.prod(data.spec.shape)
            for name in FACTS:
                if name in options and options[name] not in (sizes[name], list(data.spec.shape)):
                    raise UomhError(
                        f"--{kind} {name}={options[name]}: this run has {sizes[name]!r}; "
                        "leave it out, or change the flag that says so"
                    )
                if name in options:
                    self.notes.append(without_effect(f"--{kind}", name, "as the run has it"))
