from pathlib import Path, PurePosixPath

from nixsecrets.change import Change, Export, FollowUp, digest
from nixsecrets.plaintext import Plaintext
from tests.plans.fleets import Tree

NOTE = PurePosixPath("note.txt")


def test_a_plan_says_all_that_was_decided(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.write({"old.txt": "old"})
    export = Export(tmp_path / "key", Plaintext(b"x"), "a key")
    follow_up = FollowUp(("true",), "nothing")
    plan = (
        tree.draft()
        .changed(NOTE, b"new", "first", "second")
        .changed(PurePosixPath("old.txt"), None, "gone")
        .exporting(export)
        .following(follow_up)
        .warning("careful")
        .noting("by the way")
        .plan("intent")
    )
    assert plan.intent == "intent"
    assert plan.changes == (
        Change(NOTE, None, b"new", ("first", "second")),
        Change(PurePosixPath("old.txt"), digest(b"old"), None, ("gone",)),
    )
    assert (plan.exports, plan.follow_ups) == ((export,), (follow_up,))
    assert (plan.warnings, plan.notes) == (("careful",), ("by the way",))


def test_what_is_said_twice_is_told_once(tmp_path: Path) -> None:
    draft = Tree(tmp_path).draft().warning("a").warning("a").noting("b").noting("b")
    assert (draft.warnings, draft.notes) == (("a",), ("b",))


def test_an_earlier_draft_knows_nothing_of_a_later_one(tmp_path: Path) -> None:
    first = Tree(tmp_path).draft()
    first.changed(NOTE, b"new").warning("a")
    assert first.plan("nothing").empty
    assert first.repository.sources.find(NOTE) is None
    assert first.warnings == ()
