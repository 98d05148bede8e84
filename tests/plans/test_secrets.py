import subprocess
from pathlib import Path

import pytest

from nixsecrets.audit.finding import Severity
from nixsecrets.errors import NoIdentityError, RepositoryError
from nixsecrets.fleet.address import Leaves, Place, Purpose, locate
from nixsecrets.fleet.load import Repository
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import secrets
from nixsecrets.plans.draft import Draft
from nixsecrets.sops import document
from nixsecrets.sops.rules import Selection, SelectionKind
from nixsecrets.sops.stores.formats import format_of
from tests.plans.fleets import (
    MARKER,
    NOW,
    Fleet,
    after,
    changed,
    machine,
    make_fleet,
    person,
    unlock_with,
    why,
)
from tests.tools import require_sops

HQ = "systems/hq/secrets.yaml"
T460 = "systems/t460/secrets.yaml"
T460_WIRING = "systems/t460/secrets.nix"
LOCK = "nixsecrets.lock.json"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def place(known: Repository, address: str) -> Place:
    nothing = Leaves((), lambda _path, _keys: False, lambda _path: ())
    return locate(known.fleet, address, None, Purpose.WRITE, lambda: nothing)


def set_value(fleet: Fleet, address: str, value: str | bytes = MARKER) -> Draft:
    draft = fleet.draft()
    content = value if isinstance(value, bytes) else value.encode()
    where = place(draft.repository, address)
    return secrets.set_value(draft, where, Plaintext(content), fleet.unlock, NOW)


def remove(fleet: Fleet, address: str) -> Draft:
    draft = fleet.draft()
    return secrets.remove(draft, place(draft.repository, address), fleet.unlock, NOW)


def deliver_all(fleet: Fleet) -> None:
    fleet.write({"nixsecrets.yaml": fleet.read("nixsecrets.yaml") + "\nwiring: { deliver: all }\n"})


def test_an_existing_value_changes_its_document_and_its_date_only(fleet: Fleet) -> None:
    draft = set_value(fleet, "host/hq:nextcloud/admin-password", "new")
    assert changed(draft) == [HQ, LOCK]
    assert why(draft, HQ) == ["host/hq:nextcloud/admin-password"]
    fleet.apply(draft)
    assert fleet.values(HQ, *fleet.hq.identities) == {"nextcloud/admin-password": "new"}


def test_an_existing_value_leaves_even_stale_wiring_to_wire(fleet: Fleet) -> None:
    (fleet.root / "systems/hq/secrets.nix").unlink()
    assert changed(set_value(fleet, "nextcloud/admin-password", "new")) == [HQ, LOCK]


def test_the_value_stands_in_no_plan(fleet: Fleet) -> None:
    for address in ("host/hq:nextcloud/admin-password", "host/t460:a", "file/x.yaml:a"):
        assert MARKER not in repr(set_value(fleet, address).plan("set"))


def test_a_new_document_is_for_the_readers_of_its_rule(fleet: Fleet) -> None:
    draft = set_value(fleet, "host/t460:restic/password")
    assert changed(draft) == [T460, T460_WIRING]
    assert "defaultSopsFile" in after(draft, T460_WIRING)
    assert why(draft, T460) == ["new document for ann, t460", "+ host/t460:restic/password"]
    fleet.apply(draft)
    assert fleet.values(T460, *fleet.t460.identities) == {"restic/password": MARKER}
    with pytest.raises(NoIdentityError):
        fleet.values(T460, *fleet.hq.identities)


def test_real_sops_opens_a_new_document(fleet: Fleet) -> None:
    fleet.apply(set_value(fleet, "host/t460:on/yes"))
    opened = subprocess.run(
        (require_sops(), "decrypt", "--extract", '["on"]["yes"]', T460),
        cwd=fleet.root,
        env={"SOPS_AGE_KEY": _age_key(fleet)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert opened.stdout == MARKER


def test_a_new_document_follows_the_selection_of_its_rule(fleet: Fleet) -> None:
    fleet.edit(
        ".sops.yaml",
        "    key_groups:\n      - age:\n          - *ann\n          - *t460\n",
        "    encrypted_suffix: _sealed\n    mac_only_encrypted: true\n"
        "    key_groups:\n      - age:\n          - *ann\n          - *t460\n",
    )
    in_clear = set_value(fleet, "host/t460:motd", "hello")
    assert "motd: hello" in after(in_clear, T460)
    assert "host/t460:motd will stand in clear: its document's rule leaves it out" in (
        in_clear.warnings
    )
    sealed = set_value(fleet, "host/t460:psk_sealed")
    assert MARKER not in after(sealed, T460)
    assert "encrypted_suffix: _sealed" in after(sealed, T460)
    assert "mac_only_encrypted: true" in after(sealed, T460)
    assert sealed.warnings == ()


def test_a_rule_that_is_lacking_comes_with_the_document(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "  servers:\n", "  kiosks: { hosts: [hq] }\n  servers:\n")
    draft = set_value(fleet, "group/kiosks:pin")
    assert changed(draft) == [".sops.yaml", "shared/secrets/kiosks.yaml"]
    assert why(draft, ".sops.yaml") == ["+ rule for shared/secrets/kiosks.yaml: ann, hq"]


def test_other_drift_of_the_policy_is_not_part_of_it(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", "          - *hq\n          - *t460\n", "          - *hq\n")
    assert changed(set_value(fleet, "host/t460:a")) == [T460, T460_WIRING]


def test_a_host_without_a_key_is_refused_with_what_to_do(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", r"  - path_regex: \.yaml$", r"  - path_regex: \.env$")
    with pytest.raises(RepositoryError, match="no rule of the policy governs it") as caught:
        set_value(fleet, "host/vm01:a")
    assert caught.value.hint == "nixsecrets add-host vm01"


def test_a_file_without_a_rule_is_refused(fleet: Fleet) -> None:
    text = fleet.read(".sops.yaml")
    fleet.write({".sops.yaml": text[: text.index("  # everything else")]})
    with pytest.raises(RepositoryError, match="no rule of the policy governs it") as caught:
        set_value(fleet, "file/x.yaml:a")
    assert caught.value.hint == "add a creation rule for it to .sops.yaml"
    assert caught.value.place == "x.yaml"


def test_pgp_recipients_of_a_rule_are_told_to_be_left_out(fleet: Fleet) -> None:
    fleet.edit(
        ".sops.yaml",
        "  # one a machine\n",
        "  - path_regex: ^notes/\n    age: *ann\n    pgp: FBC7B9E2A4F9289A\n  # one a machine\n",
    )
    draft = set_value(fleet, "file/notes/x.yaml:a")
    assert draft.warnings == ("notes/x.yaml is made for age recipients only, without pgp",)


@pytest.mark.parametrize(
    ("path", "name"), [("x.json", "a/b"), ("x.env", "A"), ("x.ini", "s/a"), ("x.key", "data")]
)
def test_a_new_document_has_the_format_of_its_name(fleet: Fleet, path: str, name: str) -> None:
    rule = "  - path_regex: ^x\\.\n    age: *ann\n  # one a machine\n"
    fleet.edit(".sops.yaml", "  # one a machine\n", rule)
    fleet.apply(set_value(fleet, f"file/{path}:{name}", b"first"))
    fleet.apply(set_value(fleet, f"file/{path}:{name}", b"second"))
    content = fleet.root.joinpath(path).read_bytes()
    sealed = document.parse(content, format_of(path))
    opened = document.open_document(sealed, fleet.unlock(sealed))
    (leaf,) = opened.items
    assert (leaf.encrypted, leaf.value) == (True, Plaintext(b"second"))


def test_a_declared_value_that_is_new_is_wired(fleet: Fleet) -> None:
    fleet.edit("nixsecrets.yaml", "    hq:\n", "    t460:\n      restic/password:\n    hq:\n")
    draft = set_value(fleet, "restic/password")
    assert changed(draft) == [T460, LOCK, "systems/t460/secrets.nix"]
    assert '"restic/password"' in after(draft, "systems/t460/secrets.nix")


def test_an_undeclared_value_is_not_wired(fleet: Fleet) -> None:
    assert changed(set_value(fleet, "host/hq:restic/password")) == [HQ]


def test_where_everything_is_delivered_a_new_value_is_wired_for_all_it_reaches(
    fleet: Fleet,
) -> None:
    deliver_all(fleet)
    draft = set_value(fleet, "shared:wifi/guest")
    assert changed(draft) == [
        "shared/secrets.yaml",
        "systems/hq/secrets.nix",
        "systems/t460/secrets.nix",
    ]
    fleet.apply(draft)
    assert fleet.findings(Severity.ERROR) == []


def test_a_name_below_one_that_reaches_the_same_host_is_refused(fleet: Fleet) -> None:
    with pytest.raises(RepositoryError, match="wifi/psk beside wifi/psk/guest on t460"):
        set_value(fleet, "host/t460:wifi/psk/guest")


def test_the_same_name_for_a_host_that_is_not_reached_is_fine(fleet: Fleet) -> None:
    assert changed(set_value(fleet, "host/hq:wifi/psk/guest")) == [HQ]


def test_one_name_from_two_scopes_is_refused_where_everything_is_delivered(fleet: Fleet) -> None:
    deliver_all(fleet)
    with pytest.raises(RepositoryError, match="both reach hq"):
        set_value(fleet, "shared:nextcloud/admin-password")


@pytest.mark.parametrize(
    "name", ["nextcloud", "nextcloud/admin-password/more"], ids=["a mapping", "below a value"]
)
def test_a_place_that_is_taken_is_refused_and_named(fleet: Fleet, name: str) -> None:
    with pytest.raises(RepositoryError) as caught:
        set_value(fleet, f"file/{HQ}:{name}")
    assert MARKER not in f"{caught.value}{caught.value.hint}"


def test_a_list_above_is_refused(fleet: Fleet) -> None:
    fleet.seal(HQ, "a:\n  - b\n", fleet.ann, fleet.hq.key.recipient)
    with pytest.raises(RepositoryError) as caught:
        set_value(fleet, "host/hq:a/b")
    assert caught.value.place == HQ


def test_an_empty_value_is_told(fleet: Fleet) -> None:
    for address in ("host/hq:nextcloud/admin-password", "host/t460:a"):
        draft = set_value(fleet, address, "")
        assert draft.warnings == (f"{address} is empty, and an empty value is never encrypted",)


def test_a_suffix_that_leaves_it_in_clear_is_told(fleet: Fleet) -> None:
    for address in ("host/hq:a_unencrypted", "host/t460:a_unencrypted"):
        draft = set_value(fleet, address, "x")
        assert draft.warnings == (
            f"{address} will stand in clear: its document's rule leaves it out",
        )


def test_values_keep_their_bytes(fleet: Fleet) -> None:
    for value in (
        "two\nlines\n",
        " blanks ",
        "yes",
        "0123",
        "ä€𝄞",
        "#",
        "a: b",
        "\t",
        "a\0b",
        "\r\n",
    ):
        fleet.apply(set_value(fleet, "host/t460:a", value))
        assert fleet.values(T460, *fleet.t460.identities) == {"a": value}
        (fleet.root / T460).unlink()


def test_a_value_need_be_no_text(fleet: Fleet) -> None:
    fleet.apply(set_value(fleet, "host/t460:a", b"\xff\xfe\0"))
    sealed = document.parse(fleet.read(T460).encode())
    found = document.open_document(sealed, fleet.unlock(sealed)).find(("a",))
    assert found is not None
    assert found.value == Plaintext(b"\xff\xfe\0")


def test_a_document_that_does_not_open_is_told(fleet: Fleet) -> None:
    draft = fleet.draft()
    where = place(draft.repository, "host/hq:a")
    with pytest.raises(NoIdentityError) as caught:
        secrets.set_value(draft, where, Plaintext(b"x"), unlock_with(person()[0]), NOW)
    assert caught.value.place == HQ


def test_a_new_document_needs_no_identity(fleet: Fleet) -> None:
    draft = fleet.draft()
    where = place(draft.repository, "host/t460:a")
    stranger = unlock_with(person()[0])
    draft = secrets.set_value(draft, where, Plaintext(b"x"), stranger, NOW)
    assert changed(draft) == [T460, T460_WIRING]


@pytest.mark.parametrize("recipients", ["*ann, *t460, *hq", "*ann"], ids=["opens", "closes"])
def test_a_new_document_is_not_governed_by_a_rule_for_others(fleet: Fleet, recipients: str) -> None:
    fleet.edit(".sops.yaml", r"^systems/t460/secrets\.yaml$", r"^systems/never\.yaml$")
    rule = r"  - path_regex: systems/[^/]+/secrets\.yaml$"
    groups = f"    key_groups: [{{ age: [{recipients}] }}]"
    fleet.edit(".sops.yaml", "  # one a machine\n", f"{rule}\n{groups}\n  # one a machine\n")
    draft = set_value(fleet, "host/t460:a")
    assert why(draft, ".sops.yaml") == ["+ rule for systems/t460/secrets.yaml: ann, t460"]
    assert why(draft, T460) == ["new document for ann, t460", "+ host/t460:a"]


def test_a_removed_value_is_gone_and_its_neighbours_stay(fleet: Fleet) -> None:
    fleet.apply(set_value(fleet, "host/hq:nextcloud/other", "kept"))
    draft = remove(fleet, "host/hq:nextcloud/other")
    assert changed(draft) == [HQ]
    assert why(draft, HQ) == ["- host/hq:nextcloud/other"]
    fleet.apply(draft)
    assert fleet.values(HQ, *fleet.hq.identities) == {"nextcloud/admin-password": MARKER}


def test_a_removed_value_that_is_declared_is_told(fleet: Fleet) -> None:
    draft = remove(fleet, "host/hq:nextcloud/admin-password")
    assert changed(draft) == [HQ]
    (warning,) = draft.warnings
    assert "is still declared (nixsecrets.yaml:28); a host" in warning


def test_the_last_value_leaves_a_document_that_real_sops_opens(fleet: Fleet) -> None:
    fleet.apply(remove(fleet, "host/hq:nextcloud/admin-password"))
    assert fleet.values(HQ, *fleet.hq.identities) == {}
    opened = subprocess.run(
        (require_sops(), "decrypt", HQ),
        cwd=fleet.root,
        env={"SOPS_AGE_KEY": _age_key(fleet)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert opened.returncode == 0, opened.stderr
    fleet.apply(set_value(fleet, "host/hq:again", "x"))
    assert fleet.values(HQ, *fleet.hq.identities) == {"again": "x"}


def test_a_removed_value_that_was_delivered_undeclared_leaves_the_wiring(fleet: Fleet) -> None:
    deliver_all(fleet)
    fleet.apply(set_value(fleet, "host/hq:restic/password"))
    draft = remove(fleet, "host/hq:restic/password")
    assert changed(draft) == [HQ, "systems/hq/secrets.nix"]
    assert '"restic/password"' not in after(draft, "systems/hq/secrets.nix")


def test_a_removal_mends_a_clash(fleet: Fleet) -> None:
    fleet.seal(T460, "wifi:\n    psk:\n        guest: x\n", fleet.ann, fleet.t460.key.recipient)
    deliver_all(fleet)
    assert T460 in changed(remove(fleet, "host/t460:wifi/psk/guest"))


@pytest.mark.parametrize("address", ["host/hq:nothing", "host/t460:nothing"])
def test_what_is_nowhere_cannot_be_removed(fleet: Fleet, address: str) -> None:
    with pytest.raises(RepositoryError, match=f"no document has {address}"):
        remove(fleet, address)


def test_a_new_host_and_a_new_value_meet(fleet: Fleet) -> None:
    t15g = machine("t15g")
    fleet.apply(fleet.add("t15g", t15g, "laptops"))
    fleet.apply(set_value(fleet, "host/t15g:a"))
    assert fleet.values("systems/t15g/secrets.yaml", *t15g.identities) == {"a": MARKER}


def test_without_a_manifest_a_file_is_written_as_its_rule_says(fleet: Fleet) -> None:
    (fleet.root / "nixsecrets.yaml").unlink()
    draft = set_value(fleet, f"file/{HQ}:restic/password")
    assert changed(draft) == [HQ]
    assert changed(set_value(fleet, "file/x.yaml:a")) == ["x.yaml"]


def test_a_selection_by_expression_decides_what_is_told(fleet: Fleet) -> None:
    selection = Selection(SelectionKind.ENCRYPTED_SUFFIX, "_sealed")
    fleet.seal(HQ, "a_sealed: b\n", fleet.ann, fleet.hq.key.recipient, selection=selection)
    assert set_value(fleet, "host/hq:b", "x").warnings
    assert not set_value(fleet, "host/hq:b_sealed", "x").warnings


def _age_key(fleet: Fleet) -> str:
    return fleet.admin_file.reveal().decode()
