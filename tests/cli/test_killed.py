"""A process that is killed while it adds a host leaves, after the next change, all or nothing."""

import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from nixsecrets.change import Change, Plan
from nixsecrets.cli.app import App
from nixsecrets.cli.carry_out import Consent, carry_out
from nixsecrets.cli.writing import WritingApp
from nixsecrets.fleet.load import parse_host_key
from nixsecrets.fleet.model import HostSettings
from nixsecrets.fleet.names import parse_host_name
from nixsecrets.plans import hosts
from nixsecrets.plans.draft import Draft
from nixsecrets.system.interrupted import pending
from tests.cli.scenes import Scene, copied
from tests.system.children import in_child, killed_at

YES = Consent(dry_run=False, yes=True, as_json=True)


def plan_of(scene: Scene) -> Plan:
    app = WritingApp(scene.root)
    key = parse_host_key(Path(scene.public("t15g")).read_text())
    new = hosts.NewHost(parse_host_name("t15g"), key, HostSettings())
    with app.change(dry_run=True) as repository:
        return hosts.add(Draft(repository), new, app.unlock).plan("add host t15g")


def applying(scene: Scene, plan: Plan, step: Callable[[str], None]) -> Callable[[], str]:
    def apply() -> str:
        app = WritingApp(scene.root, step=step)
        with app.change(dry_run=False):
            carry_out(app, plan, YES)
        return "survived"

    return apply


def content(scene: Scene) -> dict[str, bytes]:
    """Return every file outside git's own directory."""
    return {
        name: text
        for name, (_, text) in scene.tree().items()
        if name.startswith("fleet/") and ".git/" not in name and text
    }


def after(before: dict[str, bytes], changes: tuple[Change, ...]) -> dict[str, bytes]:
    return before | {f"fleet/{change.path}": change.after or b"" for change in changes}


@pytest.fixture
def own_fleet(fleet: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return the fleet, with its environment in this process too."""
    for name, text in fleet.environment.items():
        monkeypatch.setenv(name, text)
    return fleet


def test_a_kill_at_any_step_of_add_host_leaves_all_or_nothing(
    own_fleet: Scene, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = plan_of(own_fleet)
    nothing = content(own_fleet)
    everything = after(nothing, plan.changes)
    outcomes = []
    for number in count():
        scene = copied(own_fleet, tmp_path_factory.mktemp("killed"))
        told = in_child(applying(scene, plan, killed_at(number)))
        if told:
            break
        scene.done("wire", "--yes")
        found = content(scene)
        assert found in (nothing, everything), number
        assert pending(App(scene.root).state) is None, number
        assert "?? " not in scene.git("status", "--porcelain", "--untracked-files=all"), number
        outcomes.append(found == everything)
        shutil.rmtree(scene.folder)
    assert told == "survived"
    assert outcomes == sorted(outcomes)
    assert {False, True} == set(outcomes)
    assert len(outcomes) > 2 * len(plan.changes)


def test_who_only_reads_tells_of_an_interrupted_change_and_leaves_it(own_fleet: Scene) -> None:
    killed = applying(own_fleet, plan_of(own_fleet), killed_before("place .sops.yaml"))
    assert in_child(killed) == ""
    before = own_fleet.tree()
    for arguments in (("get", "wifi/psk"), ("rotate", "data-keys", "--dry-run")):
        ended = own_fleet.run(*arguments)
        assert (ended.status, own_fleet.tree()) == (0, before), ended
        assert "warning: a change was interrupted; `nixsecrets wire`" in ended.stderr
    ended = own_fleet.run("wire", "--yes")
    assert "an interrupted change was completed: add host t15g" in ended.stderr


def killed_before(name: str) -> Callable[[str], None]:
    """Return a step function that kills the process by SIGKILL before the step of that name."""

    def step(reached: str) -> None:
        if reached == name:
            killed_at(0)(reached)

    return step
