"""Whole sessions: what a user types and what is said; see `transcript.py` for how they are read."""

from pathlib import Path

import pytest

from tests.cli.scenes import Scene
from tests.cli.transcript import matches, play, read_session, shown

SESSIONS = sorted(Path(__file__).parent.glob("*.txt"))


@pytest.mark.parametrize("file", SESSIONS, ids=lambda file: file.stem)
def test_a_session_goes_as_its_transcript_says(file: Path, request: pytest.FixtureRequest) -> None:
    session = read_session(file)
    scene = request.getfixturevalue(session.scene)
    assert isinstance(scene, Scene)
    for step in session.steps:
        told = shown(play(step, scene), scene)
        expected = "\n".join(step.said)
        assert matches(step, told), (
            f"{file.name}:{step.line}: {step.command}\n\n{told}\n\nwhere it says:\n\n{expected}"
        )
