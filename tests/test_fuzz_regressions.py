"""What the fuzz targets were given first, and all that ever broke one of their claims."""

import time
from pathlib import Path

import pytest

from fuzz.claims import attempt
from fuzz.targets import TARGETS

FOLDER = Path(__file__).parent / "fuzz"
LONGEST_S = 5
INPUTS = sorted(FOLDER.glob("seeds/*/*")) + sorted(FOLDER.glob("regressions/*/*"))


@pytest.mark.parametrize("file", INPUTS, ids=lambda file: "/".join(file.parts[-3:]))
def test_an_input_is_taken_or_refused(file: Path) -> None:
    started = time.process_time()
    attempt(TARGETS[file.parent.name], file.read_bytes())
    assert time.process_time() - started < LONGEST_S


def test_every_target_has_seeds() -> None:
    assert {file.parent.name for file in FOLDER.glob("seeds/*/*")} == set(TARGETS)
