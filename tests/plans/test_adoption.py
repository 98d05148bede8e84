"""What init makes of repositories that have sops-nix already."""

from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.audit import status
from nixsecrets.audit.finding import Severity
from nixsecrets.audit.status import State
from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.fleet.model import Deliver
from nixsecrets.fleet.names import HostName, PersonName
from nixsecrets.plans import adoption, documents, linking
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.linking import Choices, Links, View
from tests.plans.adopted import OLD, Made, Old, flake, keys, machines, make, rule, usual
from tests.plans.fleets import after, changed


def view_of(made: Made) -> View:
    view = linking.look(made.tree.repository())
    assert view is not None
    return view


def adopt(made: Made, choices: Choices | None = None) -> Draft:
    view = view_of(made)
    return adoption.adopt(made.tree.draft(), view, links(made, choices))


def links(made: Made, choices: Choices | None = None) -> Links:
    return linking.link(view_of(made), choices or Choices())


@pytest.mark.parametrize("name", OLD)
def test_a_repository_is_adopted_as_it_stands(name: str, tmp_path: Path) -> None:
    old = OLD[name]
    made = make(old, tmp_path)
    before = {path: (tmp_path / path).read_bytes() for path in made.tree.paths()}
    assert links(made).questions == ()
    made.tree.apply(adopt(made))
    repository = made.tree.repository()
    fleet = repository.fleet
    assert {
        host.name: (str(host.directory), host.attribute, host.anchor) for host in fleet.hosts
    } == old.hosts
    assert {person.name: person.role.value for person in fleet.people} == old.people
    assert dict(fleet.layout.spelled()).items() >= old.patterns.items()
    assert fleet.manifest.deliver is Deliver.DECLARED
    assert {path: (tmp_path / path).read_bytes() for path in before} == before
    assert made.tree.findings(Severity.ERROR) == []
    assert all(host.recipient is not None for host in fleet.hosts)
    assert sorted(path for path, _ in documents.sealed(repository)) == sorted(
        PurePosixPath(path) for path in old.documents if not path.startswith("infra/")
    )
    assert {one.state for one in status.find(repository)} == {State.IN_STEP}


def one_host(policy: str, **files: str) -> Old:
    return Old({".sops.yaml": policy}, {}, {}, files={**machines("hosts/hq"), **files})


STRANGE = keys(ann="ann", desktop="one", portable="two") + rule("hosts/hq/.*", "ann", "desktop")
STRANGE += rule("hosts/x/.*", "ann", "portable")


def test_what_nothing_tells_is_asked_the_likely_first(tmp_path: Path) -> None:
    made = make(
        Old(
            {".sops.yaml": STRANGE}, {"hosts/hq/a.yaml": "ann one"}, {}, files=machines("hosts/hq")
        ),
        tmp_path,
    )
    (question,) = links(made).questions
    assert (question.host, question.candidates) == ("hq", ("desktop", "portable"))


@pytest.mark.parametrize(
    ("said", "key"),
    [
        pytest.param(Choices(hosts={HostName("hq"): "portable"}), True, id="an anchor"),
        pytest.param(Choices(hosts={HostName("hq"): ""}), False, id="none"),
        pytest.param(Choices(skip_unknown=True), False, id="left"),
    ],
)
def test_an_answer_links_a_host(said: Choices, *, key: bool, tmp_path: Path) -> None:
    made = make(one_host(STRANGE), tmp_path)
    draft = adopt(made, said)
    host = draft.fleet.host("hq")
    assert links(made, said).questions == ()
    assert (host.recipient is not None) is key
    if key:
        assert host.anchor == "portable"
        assert after(draft, "keys/hosts/hq.pub") == f"{made.text('two')}\n"


def test_a_recipient_without_a_name_can_be_said(tmp_path: Path) -> None:
    policy = "creation_rules:\n- path_regex: a\n  age: <ann>,<hq>\n"
    made = make(one_host(policy), tmp_path)
    said = Choices(
        hosts={HostName("hq"): made.text("hq")}, people={PersonName("ann"): made.text("ann")}
    )
    fleet = adopt(made, said).fleet
    assert fleet.host("hq").recipient is not None
    assert [str(one.name) for one in fleet.people] == ["ann"]


def test_an_anchor_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    made = make(one_host(STRANGE), tmp_path)
    with pytest.raises(UsageError, match="neither an anchor nor a recipient 'desktpo'") as caught:
        links(made, Choices(hosts={HostName("hq"): "desktpo"}))
    assert caught.value.hint == "did you mean desktop?"


def test_a_literal_recipient_of_the_users_own_gets_the_users_name(tmp_path: Path) -> None:
    made = make(one_host("creation_rules:\n- age: <ann>\n"), tmp_path)
    own = frozenset({made.text("ann")})
    fleet = adopt(made, Choices(own=own, user="miscguy", skip_unknown=True)).fleet
    assert [(one.name, one.role.value) for one in fleet.people] == [("miscguy", "admin")]


def test_a_key_of_several_hosts_is_the_first_ones(tmp_path: Path) -> None:
    policy = keys(ann="ann", all="one") + rule("hosts/.*", "ann", "all")
    made = make(Old({".sops.yaml": policy}, {}, {}, files=machines("hosts/a", "hosts/b")), tmp_path)
    said = Choices(hosts={HostName("a"): "all", HostName("b"): "all"})
    draft = adopt(made, said)
    assert [host.name for host in draft.fleet.hosts if host.recipient] == ["a"]
    assert any(
        note.startswith("b has no key file: its recipient is that of a") for note in draft.notes
    )


def test_a_recipient_that_needs_a_plugin_is_no_hosts_key(tmp_path: Path) -> None:
    tag = "age1tag1qwrqs8e6h43apd7memre4x0jnpref3lzn6kqfetwjwv24s80w5pxj9gxjfg"
    policy = f"keys:\n  - &ann <ann>\n  - &hq {tag}\ncreation_rules:\n" + rule("a", "ann", "hq")
    draft = adopt(make(one_host(policy), tmp_path))
    assert draft.fleet.host("hq").recipient is None
    assert any("hq has no key file" in note for note in draft.notes)


def test_recipients_that_are_not_of_age_are_told(tmp_path: Path) -> None:
    policy = (
        "keys:\n  - &ann <ann>\n  - &bob 7088C7421873E0DB97FF17C2245CAB70B4C225E9\n"
        "  - &hq <hq>\ncreation_rules:\n- path_regex: a\n  key_groups:\n"
        "  - pgp: [*bob]\n    age: [*ann, *hq]\n"
    )
    draft = adopt(make(one_host(policy), tmp_path))
    assert [str(one.name) for one in draft.fleet.people] == ["ann"]
    assert "pgp bob: not of age, so it is neither checked nor changed" in draft.notes


def test_other_policies_and_what_sops_never_reads_are_told(tmp_path: Path) -> None:
    draft = adopt(make(OLD["a policy below the root"], tmp_path))
    assert (
        "machines/.sops.yaml governs most documents; left to sops: infra/.sops.yaml" in draft.notes
    )
    assert ".sops.yml: sops never reads it, the name is .sops.yaml" in draft.notes


def test_a_policy_that_a_program_writes_is_told(tmp_path: Path) -> None:
    policy = "# Do not edit: generated by a script\n" + STRANGE
    draft = adopt(make(one_host(policy), tmp_path), Choices(skip_unknown=True))
    assert any("is written by a program" in note for note in draft.notes)


def test_what_stands_like_a_host_and_is_named_nowhere_is_told(tmp_path: Path) -> None:
    draft = adopt(make(OLD["modules called default.nix"], tmp_path))
    assert any(note.startswith("hosts/unused: not taken for a host") for note in draft.notes)


def test_managed_rules_that_would_differ_are_told_and_left(tmp_path: Path) -> None:
    policy = keys(ann="ann", hq="hq", other="other") + rule(
        r"^hosts/hq/secrets\.yaml$", "ann", "hq", "other"
    )
    made = make(one_host(policy), tmp_path)
    draft = adopt(made)
    assert ".sops.yaml" not in changed(draft)
    assert any(note.startswith("the next change of readers also edits") for note in draft.notes)


def test_a_key_file_that_says_something_else_stops_it(tmp_path: Path) -> None:
    made = make(usual("hosts"), tmp_path)
    made.tree.write({"keys/hosts/hq.pub": f"{made.machines['t460'].key.public_key}\n"})
    with pytest.raises(RepositoryError, match="says something else") as caught:
        adopt(made)
    assert caught.value.place == "keys/hosts/hq.pub"


def test_a_key_file_that_says_the_same_stays_as_it_is(tmp_path: Path) -> None:
    made = make(usual("hosts"), tmp_path)
    made.tree.write({"keys/hosts/hq.pub": f"{made.machines['hq'].key.public_key} root@hq\n"})
    assert "keys/hosts/hq.pub" not in changed(adopt(made))


def test_a_second_adoption_is_refused(tmp_path: Path) -> None:
    made = make(usual("hosts"), tmp_path)
    made.tree.apply(adopt(made))
    with pytest.raises(RepositoryError, match="has one already"):
        adopt(made)


def test_a_key_that_lets_a_user_in_links_no_host(tmp_path: Path) -> None:
    text = '{ users.users.hq.openssh.authorizedKeys.keys = [ "<one.pub>" ]; }\n'
    made = make(one_host(STRANGE, **{"hosts/hq/users.nix": text}), tmp_path)
    assert [one.host for one in links(made).questions] == ["hq"]


def test_a_repository_without_a_policy_is_not_adopted(tmp_path: Path) -> None:
    made = make(Old({}, {}, {}, files={"flake.nix": flake(hq="")}), tmp_path)
    assert linking.look(made.tree.repository()) is None
