"""Reads listed pictures into one array, and reports those that cannot be read or do not fit."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from service.contract.inputs import ImageInput
from service.inference.readers.picture_formats import NAMES
from training.data.coded import CodedColumn
from training.data.options import DataOptions
from training.data.raw import Findings, RawData, Stratum
from training.data.sources.decoding import Decoded, decode_all
from training.data.sources.picture_file import Frame, Source, UnreadableError, frame_of
from training.errors import DataError

_MAX_NAMED = 5  # pictures that are named for one kind of problem
_DARK = 32  # of 255: pictures without a brighter pixel have probably lost most of their levels


@dataclass(frozen=True, slots=True)
class Listing:
    """N pictures with their labels, none of them opened yet."""

    form: str
    pictures: Sequence[Source]
    labels: CodedColumn
    sources: NDArray[np.int8]
    name: Callable[[int], str]  # of a picture in messages, by its number
    columns: dict[str, Any] = field(default_factory=dict)
    strata: tuple[Stratum, ...] | None = None
    missing: str = ""  # what to know if there is no such file


def read(listing: Listing, options: DataOptions, findings: Findings) -> RawData:
    """Decode the pictures. Adds problems to `findings`; raises DataError if no picture is left."""
    frame = _frame(listing, options)
    decoded = decode_all(listing.pictures, frame)
    _report(listing, decoded, options, findings)
    bad = {*decoded.unreadable, *decoded.unfit}
    keep = np.array([i for i in range(len(listing.pictures)) if i not in bad], dtype=np.int64)
    if not len(keep):
        findings.raise_errors()
        raise _none_readable(listing, decoded.unreadable, options)
    _warn_if_dark(decoded, findings)
    notes = []
    if frame.fit:
        notes.append(f"shrunk or enlarged to fit {frame.height}x{frame.width} and centred on black")
    if decoded.unreadable:
        notes.append(f"{len(decoded.unreadable)} unreadable left out")
    return RawData(
        form=listing.form,
        noun="picture",
        input=ImageInput(height=frame.height, width=frame.width, channels=3 if frame.colour else 1, foreground=None),
        inputs=decoded.images if not bad else decoded.images[keep],
        labels=CodedColumn(listing.labels.names, listing.labels.codes[keep]),
        first_row=1,
        sources=listing.sources[keep] if options.files or listing.strata else None,
        columns={name: column.take(pa.array(keep)) for name, column in listing.columns.items()},
        notes=tuple(notes),
        strata=listing.strata,
    )


def _frame(listing: Listing, options: DataOptions) -> Frame:
    """The frame of the options, completed by the first readable picture."""
    unreadable: dict[int, str] = {}
    for number, picture in enumerate(listing.pictures):
        try:
            height, width, colour = frame_of(picture)
            break
        except UnreadableError as error:
            unreadable[number] = str(error)
    else:
        raise _none_readable(listing, unreadable, options)
    if options.image_size is not None:
        height, width = options.image_size
    if options.image_colour is not None:
        colour = options.image_colour == "rgb"
    return Frame(height, width, colour, options.image_size is not None, options.image_colour is not None)


def _report(listing: Listing, decoded: Decoded, options: DataOptions, findings: Findings) -> None:
    for i in sorted(decoded.unfit)[:_MAX_NAMED]:
        findings.errors.append(f"{listing.name(i)} {decoded.unfit[i]}")
    if len(decoded.unfit) > _MAX_NAMED:
        findings.errors.append(f"{len(decoded.unfit) - _MAX_NAMED} more pictures have such a problem")
    count = len(decoded.unreadable)
    if not count:
        return
    allowed = count <= options.skip_unreadable
    lines = findings.warnings if allowed else findings.errors
    for i in sorted(decoded.unreadable)[:_MAX_NAMED]:
        lines.append(f"{listing.name(i)} cannot be read: {decoded.unreadable[i]}")
    counted = f"{count} of {len(listing.pictures)} pictures cannot be read, {_reasons(decoded.unreadable)}"
    if allowed:
        lines.append(f"{counted}: they are left out")
    else:
        lines.append(
            f"{counted}, but --skip-unreadable allows {options.skip_unreadable}: repair or delete them, or give "
            f"--skip-unreadable {count}" + (f"; {hint}" if (hint := _hint(listing, decoded.unreadable)) else "")
        )


def _none_readable(listing: Listing, unreadable: dict[int, str], options: DataOptions) -> DataError:
    remedy = _hint(listing, unreadable) or f"give {NAMES} files"
    return DataError(
        f"none of the {len(listing.pictures)} pictures of {options.path} can be read, {_reasons(unreadable)}; the "
        f"first, {listing.name(0)}: {unreadable[0]}; {remedy}"
    )


def _hint(listing: Listing, unreadable: dict[int, str]) -> str:
    return listing.missing if "no such file" in unreadable.values() else ""


def _reasons(unreadable: dict[int, str]) -> str:
    """The number of pictures by the kind of reason.

    >>> _reasons({3: "no such file", 5: "a damaged PNG: it is truncated", 6: "no such file"})
    '2 no such file, 1 a damaged PNG'
    """
    kinds = Counter(reason.partition(":")[0] for reason in unreadable.values())
    return ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())


def _warn_if_dark(decoded: Decoded, findings: Findings) -> None:
    brightest = int(decoded.images.max())
    if 0 < brightest < _DARK:
        findings.warnings.append(
            f"no picture has a level over {brightest} of 255: 16 bits of grey are divided by 257, so stretch pictures "
            "that use fewer bits, such as the 12 of a detector, to 0 to 65535 first"
        )
