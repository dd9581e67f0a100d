"""The answer of ``uomh.verify``: a plain frozen value, how it is written, and how it is read.

It is written and read by its types alone (pydantic), so the field names are the keys of
``dimension.json``. Reading it takes no torch.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from uomh.dimension.claims import Claims
from uomh.dimension.details import Details
from uomh.dimension.values import Group, Power, Whole
from uomh.errors import UomhError
from uomh.files import replacing
from uomh.text import html_table

FILE = "dimension.json"
_COLUMNS = (
    *("dataset", "group", "n", "duplicates", "k", "dimension", "low", "high"),
    *("calibrated_low", "calibrated_high", "size_matched", "dispersion"),
    *("learned", "learned_low", "learned_high"),
)


@dataclass(frozen=True)
class DimensionReport:
    """What ``uomh.verify`` found: estimates by group, the claims and one sentence.

    Attributes:
        dataset: name of the set.
        fingerprint: hash of the points and labels.
        estimator: name of the estimator.
        n: number of points, duplicates dropped.
        ambient_dim: coordinates a point; None where only neighbours were given.
        by: what the groups are: ``class``, a clusterer, or a file of labels.
        groups: one ``Group`` a label; empty for unlabelled data.
        whole: the set as one.
        claims: what the groups are evidence of.
        power: what these group sizes could show.
        verdict: one sentence.
        unlabelled: points left out because they have no label.
        near_copies: points that had a neighbour nearer than the tolerance times the typical
            nearest distance, before any were left out.
        left_out: groups that were too small to be measured, and how many points each had,
            duplicates dropped; none of these points is counted in ``n`` or used.
        left_out_duplicates: duplicates that those groups lost, where they lost any.
        anchors: at how many points estimates are; None: at all.
        notes: sentences about the data that a reader of the numbers should know.
        details: what stands behind the numbers, for who draws it; a file of its own, so that a
            report that is read again has none and equals this one.
    """

    dataset: str
    fingerprint: str
    estimator: str
    n: int
    ambient_dim: int | None
    by: str | None
    groups: tuple[Group, ...]
    whole: Whole
    claims: Claims
    power: Power
    verdict: str
    unlabelled: int = 0
    near_copies: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    left_out_duplicates: dict[str, int] = field(default_factory=dict)
    anchors: int | None = None
    notes: tuple[str, ...] = ()
    details: Annotated[Details | None, Field(exclude=True)] = field(
        default=None, compare=False, repr=False
    )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> DimensionReport:
        """The report that `save` or ``uomh verify --out`` wrote, equal to the one of then.

        Args:
            path: the folder, or its ``dimension.json``.

        Raises:
            UomhError: there is none, or it is damaged.
        """
        file = Path(path)
        if file.is_dir():
            several = sorted(found.parent.name for found in file.glob(f"*/{FILE}"))
            file = file / FILE
            if several and not file.exists():
                raise UomhError(
                    f"{str(path)!r} holds the reports of several data sets; name the folder of "
                    f"one: {', '.join(several)}"
                )
        try:
            text = file.read_text(encoding="utf-8")
            report: DimensionReport = _adapter().validate_json(text, strict=True)
            if not _holds(report.to_dict(), json.loads(text)):
                raise ValueError("there is more in it than a report has")
        except OSError as error:
            raise UomhError(
                f"cannot read a report from {str(file)!r}: {error.strerror}; "
                "uomh verify --out DIR writes one"
            ) from None
        except (ValueError, RecursionError):  # pydantic's and json's errors are ValueErrors
            raise UomhError(
                f"{str(file)!r} is no report of uomh verify: damaged, or of another version; "
                "run uomh verify --out DIR again"
            ) from None
        return report

    def to_dict(self) -> dict[str, Any]:
        """The content of ``dimension.json``: strings as keys, null for what is not finite."""
        plain: dict[str, Any] = _adapter().dump_python(self, mode="json")
        return plain

    def to_json(self) -> str:
        """``dimension.json`` as text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_csv(self) -> str:
        """One line for each group and k, and for the whole set, whose ``group`` is empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in self._rows():
            writer.writerow([f"{v:.6g}" if isinstance(v, float) else v for v in row])
        return text.getvalue()

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write ``dimension.json`` and ``dimension.csv``, each whole or not at all.

        ``details.json`` beside them holds what `details` does, where there are any.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in ((FILE, self.to_json() + "\n"), ("dimension.csv", self.to_csv())):
            with replacing(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
        if self.details is not None:
            self.details.save(folder)

    def _rows(self) -> Iterator[list[Any]]:
        for k, e in self.whole.k.items():
            head = [self.dataset, "", self.n, sum(g.duplicates for g in self.groups)]
            yield [*head, k, e.dimension, e.low, e.high, *[None] * 7]
        for group in self.groups:
            for k, g in group.k.items():
                head = [self.dataset, group.label, group.n, group.duplicates]
                band = g.calibrated or (None, None)
                numbers = [g.dimension, g.low, g.high, *band, g.size_matched, g.dispersion]
                yield [*head, k, *numbers, *group.learned_values()]

    def _repr_html_(self) -> str:
        """A table of the groups and the verdict, for notebooks."""
        ks = list(self.whole.k)
        lines = [_row("all", self.n, list(self.whole.k.values()))]
        lines += [_row(g.label, g.n, list(g.k.values())) for g in self.groups]
        return (
            f"<p><b>{html.escape(self.dataset)}</b>: {html.escape(self.verdict)}</p>"
            f"{html_table(['group', 'n', *(f'k = {k}' for k in ks)], lines)}"
        )


def _holds(report: Any, file: Any) -> bool:
    """Whether all of a file is in the report; one written before a field was added lacks it."""
    if isinstance(report, dict) and isinstance(file, dict):
        return all(key in report and _holds(report[key], value) for key, value in file.items())
    if isinstance(report, list) and isinstance(file, list):
        return len(report) == len(file) and all(map(_holds, report, file))
    return bool(report == file)


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(DimensionReport)


def _row(label: str, n: int, estimates: list[Any]) -> list[str]:
    return [label, f"{n:,}", *(f"{e.dimension:.2f} [{e.low:.2f}, {e.high:.2f}]" for e in estimates)]
