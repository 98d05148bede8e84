from itertools import chain
from pathlib import Path, PurePosixPath

import pytest

from nixsecrets.age.recipient import Recipient, parse_recipient
from nixsecrets.age.ssh import convert_public_key, generate_ed25519
from nixsecrets.errors import ExitStatus, NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import documents, policy, recipients
from nixsecrets.plans.draft import Draft
from nixsecrets.sops import document, sealing
from nixsecrets.sops.keygroups import KeyGroups
from tests.plans.fleets import (
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

SHARED = PurePosixPath("shared/secrets.yaml")
PGP = "FBC7B9E2A4F9289AC0C1D4843D16CEE4A27381B4"
THREE = "          - *ann\n          - *hq\n          - *t460\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return make_fleet(tmp_path)


def bring(fleet: Fleet, *paths: PurePosixPath) -> Draft:
    return recipients.bring(fleet.draft(), paths or (SHARED,), fleet.unlock)


def drift(fleet: Fleet, path: PurePosixPath = SHARED) -> recipients.Drift | None:
    known = fleet.repository()
    return recipients.drift(known, path, documents.read(known, path))


def stanzas(content: str) -> tuple[str, ...]:
    return tuple(one.enc for one in document.parse(content.encode()).metadata.stanzas)


def reseal(fleet: Fleet, *to: Recipient) -> None:
    fleet.seal(str(SHARED), "a: b\n", *to)


def test_a_document_in_step_is_not_touched(fleet: Fleet) -> None:
    assert not drift(fleet)
    assert bring(fleet).plan("nothing").empty


def test_the_order_of_recipients_means_nothing(fleet: Fleet) -> None:
    reseal(fleet, fleet.t460.key.recipient, fleet.ann, fleet.hq.key.recipient)
    assert bring(fleet).plan("nothing").empty


def test_the_comment_of_an_ssh_line_means_nothing(fleet: Fleet) -> None:
    line = generate_ed25519("bob@desk")[1].line
    policy_line = f"          - {' '.join(line.split()[:2])} bob@elsewhere\n"
    fleet.edit(".sops.yaml", THREE, THREE + policy_line)
    fleet.edit(".sops.yaml", r"^shared/secrets\.yaml$", "^shared/secrets.yaml$")
    hosts = (fleet.hq.key.recipient, fleet.t460.key.recipient)
    reseal(fleet, fleet.ann, *hosts, parse_recipient(line))
    assert bring(fleet).plan("nothing").empty


def test_who_is_missing_is_added_and_the_others_keep_their_stanzas(fleet: Fleet) -> None:
    reseal(fleet, fleet.ann, fleet.hq.key.recipient)
    before = stanzas(fleet.read(str(SHARED)))
    assert drift(fleet) == recipients.Drift((fleet.t460.key.recipient.text,), ())
    draft = bring(fleet)
    assert why(draft, str(SHARED)) == ["re-wrapped: + t460"]
    assert stanzas(after(draft, str(SHARED)))[:2] == before
    assert draft.warnings == ()
    fleet.apply(draft)
    assert fleet.values(str(SHARED), *fleet.t460.identities) == {"a": "b"}


def test_only_the_metadata_changes(fleet: Fleet) -> None:
    reseal(fleet, fleet.ann)
    body, _, _ = fleet.read(str(SHARED)).partition("\nsops:")
    assert after(bring(fleet), str(SHARED)).startswith(f"{body}\nsops:")


def test_who_is_surplus_goes_and_everyone_is_wrapped_for_anew(fleet: Fleet) -> None:
    stranger, recipient = person()
    hosts = (fleet.hq.key.recipient, fleet.t460.key.recipient)
    reseal(fleet, fleet.ann, *hosts, recipient)
    before = stanzas(fleet.read(str(SHARED)))
    draft = bring(fleet)
    assert set(stanzas(after(draft, str(SHARED)))).isdisjoint(before)
    (warning,) = draft.warnings
    assert "`nixsecrets rotate data-keys shared/secrets.yaml` makes a new one" in warning
    fleet.apply(draft)
    with pytest.raises(NoIdentityError):
        fleet.values(str(SHARED), stranger)


def test_a_label_that_lies_does_not_survive_a_removal(fleet: Fleet) -> None:
    thief, stolen = person()
    hosts = (fleet.hq.key.recipient, fleet.t460.key.recipient)
    reseal(fleet, fleet.ann, *hosts, stolen)
    claimed = fleet.read(str(SHARED)).replace(fleet.hq.key.recipient.text, "age1x", 1)
    claimed = claimed.replace(stolen.text, fleet.hq.key.recipient.text, 1)
    fleet.write({str(SHARED): claimed})
    fleet.apply(bring(fleet))
    with pytest.raises(NoIdentityError):
        fleet.values(str(SHARED), thief)


def test_both_ways_at_once_are_told_by_name(fleet: Fleet) -> None:
    fleet.apply(fleet.add("vm01", machine()))
    fleet.edit("nixsecrets.yaml", "    hosts:\n      - t460\n", "    hosts: [vm01]\n")
    path = PurePosixPath("shared/secrets/laptops.yaml")
    draft = recipients.bring(policy.bring(fleet.draft()), [path], fleet.unlock)
    assert why(draft, str(path)) == ["re-wrapped: + vm01, - t460"]


def test_a_document_without_a_rule_is_left_alone(fleet: Fleet) -> None:
    text = fleet.read(".sops.yaml")
    fleet.write({".sops.yaml": text[: text.index("  # everything else")]})
    fleet.seal("notes/secrets.yaml", "a: b\n", fleet.hq.key.recipient)
    path = PurePosixPath("notes/secrets.yaml")
    assert drift(fleet, path) is None
    assert recipients.intended(fleet.repository().fleet, path) is None
    assert bring(fleet, path).plan("nothing").empty


def test_the_recipients_of_the_peoples_rules_are_the_intended_ones(fleet: Fleet) -> None:
    friend, recipient = person()
    fleet.edit(
        ".sops.yaml",
        "  # one a machine\n",
        f"  - path_regex: ^notes/\n    age: {recipient.text}\n  # one a machine\n",
    )
    fleet.seal("notes/secrets.yaml", "a: b\n", fleet.ann)
    draft = bring(fleet, PurePosixPath("notes/secrets.yaml"))
    assert ".sops.yaml" not in changed(draft)
    fleet.apply(draft)
    assert fleet.values("notes/secrets.yaml", friend) == {"a": "b"}


def test_a_stranger_in_a_managed_rule_is_never_wrapped_to(fleet: Fleet) -> None:
    fleet.edit(".sops.yaml", THREE, f"{THREE}          - {person()[1].text}\n")
    with pytest.raises(RepositoryError, match="whom no key file explains") as caught:
        bring(fleet)
    assert (caught.value.place, caught.value.line) == (".sops.yaml", 32)
    assert caught.value.hint == "`nixsecrets rekey` takes it out of that rule"


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        pytest.param("age1broken", "age1broken is no recipient", id="broken"),
        pytest.param("AGE-SECRET-KEY-1QQQQ", "a private identity", id="private half"),
        pytest.param("somebody", "not a recipient", id="no recipient"),
    ],
)
def test_a_recipient_of_no_supported_sort_is_refused_with_the_rules_line(
    fleet: Fleet, entry: str, said: str
) -> None:
    fleet.edit(".sops.yaml", THREE, f"{THREE}          - {entry}\n")
    with pytest.raises(RepositoryError, match=said) as caught:
        bring(fleet)
    assert (caught.value.place, caught.value.line) == (".sops.yaml", 32)
    assert "QQQQ" not in f"{caught.value}{caught.value.hint}"


def test_a_rule_for_pgp_alone_is_refused_with_its_line(fleet: Fleet) -> None:
    rule = f"  - path_regex: ^notes/\n    pgp: {PGP}\n"
    fleet.edit(".sops.yaml", "  # one a machine\n", f"{rule}  # one a machine\n")
    fleet.seal("notes/secrets.yaml", "a: b\n", fleet.ann)
    with pytest.raises(RepositoryError, match="names no age recipient, only pgp") as caught:
        bring(fleet, PurePosixPath("notes/secrets.yaml"))
    assert (caught.value.place, caught.value.line) == (".sops.yaml", 10)


class TestSeveralKeyGroups:
    PATH = "notes/secrets.yaml"

    def rule(self, fleet: Fleet, groups: str, *more: str) -> None:
        """Put a rule for notes in front; it begins in line 10."""
        lines = "".join(f"    {line}\n" for line in more)
        rule = f"  - path_regex: ^notes/\n    key_groups: {groups}\n{lines}"
        fleet.edit(".sops.yaml", "  # one a machine\n", f"{rule}  # one a machine\n")

    def seal(self, fleet: Fleet, readers: KeyGroups) -> None:
        fleet.write({self.PATH: sealing.seal(Plaintext(b"a: b\n"), readers, NOW)})

    def bring(self, fleet: Fleet) -> Draft:
        return bring(fleet, PurePosixPath(self.PATH))

    def drift(self, fleet: Fleet) -> recipients.Drift | None:
        return drift(fleet, PurePosixPath(self.PATH))

    @pytest.mark.parametrize(
        ("threshold", "needed"), [("shamir_threshold: 2", 2), ("", 3)], ids=["2 of 3", "all"]
    )
    def test_a_document_is_split_as_the_rule_says(
        self, fleet: Fleet, threshold: str, needed: int
    ) -> None:
        self.rule(fleet, "[{age: [*ann]}, {age: [*hq]}, {age: [*t460]}]", threshold)
        fleet.seal(self.PATH, "a: b\n", fleet.ann)
        draft = self.bring(fleet)
        assert why(draft, self.PATH) == [
            f"re-wrapped: + hq, + t460, {needed} of 3 key groups instead of one key group"
        ]
        assert draft.warnings == (
            "notes/secrets.yaml: ann, hq, t460 cannot open it alone",
            (
                "notes/secrets.yaml: whoever could open it may keep the data key that it had; "
                "`nixsecrets rotate data-keys notes/secrets.yaml` makes a new one"
            ),
        )
        fleet.apply(draft)
        everyone = ((fleet.admin,), fleet.hq.identities, fleet.t460.identities)
        assert fleet.values(self.PATH, *chain(*everyone[:needed])) == {"a": "b"}
        with pytest.raises(NoIdentityError, match=f"and {needed} are needed"):
            fleet.values(self.PATH, *chain(*everyone[: needed - 1]))
        assert self.bring(fleet).plan("nothing").empty

    @pytest.mark.parametrize(
        ("groups", "threshold", "told"),
        [
            pytest.param((("ann",), ("hq",)), 2, "", id="as the rule says"),
            pytest.param((("hq",), ("ann",)), 2, "", id="in another order"),
            pytest.param(
                (("ann",), ("hq",)), 0, "2 of 2 key groups instead of some of 2", id="no threshold"
            ),
            pytest.param((("ann",), ("hq", "t460")), 2, "- t460", id="one too many in a group"),
            pytest.param((("ann",), ("ann", "hq")), 2, "other key groups", id="one in two groups"),
            pytest.param(
                (("ann",), ("hq",), ("t460",)),
                2,
                "- t460, 2 of 2 key groups instead of 2 of 3 key groups",
                id="a group too many",
            ),
            pytest.param(
                (("ann", "hq"),), 0, "2 of 2 key groups instead of one key group", id="not split"
            ),
        ],
    )
    def test_groups_are_compared_with_the_rules(
        self, fleet: Fleet, groups: tuple[tuple[str, ...], ...], threshold: int, told: str
    ) -> None:
        known = {"ann": fleet.ann, "hq": fleet.hq.key.recipient, "t460": fleet.t460.key.recipient}
        readers = KeyGroups(
            tuple(tuple(known[name] for name in group) for group in groups), threshold
        )
        self.rule(fleet, "[{age: [*ann]}, {age: [*hq]}]")
        self.seal(fleet, readers)
        if not threshold:
            text = fleet.read(self.PATH).replace("    shamir_threshold: 2\n", "")
            fleet.write({self.PATH: text})
        difference = self.drift(fleet)
        assert difference is not None
        shown = recipients.describe(fleet.repository().fleet, difference)
        assert shown.startswith(told) if told else not difference

    def test_one_group_again_takes_nothing_away(self, fleet: Fleet) -> None:
        self.rule(fleet, "[{age: [*ann, *hq]}]")
        self.seal(fleet, KeyGroups(((fleet.ann,), (fleet.hq.key.recipient,))))
        unlock = unlock_with(fleet.admin, *fleet.hq.identities)
        draft = recipients.bring(fleet.draft(), [PurePosixPath(self.PATH)], unlock)
        assert why(draft, self.PATH) == ["re-wrapped: one key group instead of 2 of 2 key groups"]
        assert draft.warnings == ()
        fleet.apply(draft)
        assert "shamir_threshold" not in fleet.read(self.PATH)
        assert fleet.values(self.PATH, fleet.admin) == {"a": "b"}

    @pytest.mark.parametrize(
        ("groups", "threshold", "problem"),
        [
            (
                "[{age: [*ann]}, {age: [*hq]}]",
                3,
                "a threshold of 3 with 2 key groups is impossible",
            ),
            (
                "[{age: [*ann]}, {age: [*hq]}]",
                1,
                "a threshold of 1 with 2 key groups is impossible",
            ),
            ("[{age: [*ann]}, {}]", 2, "key group 1 names no recipient"),
            (
                f"[{{pgp: [{PGP}]}}, {{age: [*ann]}}]",
                2,
                (
                    "rule ^notes/ gives key group 0 to pgp alone, which could not be given a share "
                    "of the data key"
                ),
            ),
        ],
        ids=["more than there are", "one is enough", "an empty group", "pgp and age"],
    )
    def test_what_cannot_be_split_is_refused_with_the_rules_line(
        self, fleet: Fleet, groups: str, threshold: int, problem: str
    ) -> None:
        self.rule(fleet, groups, f"shamir_threshold: {threshold}")
        fleet.seal(self.PATH, "a: b\n", fleet.ann)
        with pytest.raises(RepositoryError) as caught:
            self.bring(fleet)
        found = caught.value
        assert (found.place, found.line, found.problem) == (".sops.yaml", 10, problem)

    def test_who_stands_in_too_few_groups_is_named(self, fleet: Fleet) -> None:
        hq, t460 = fleet.hq.key.recipient, fleet.t460.key.recipient
        readers = KeyGroups(((fleet.ann, hq), (hq, hq, t460), (fleet.ann,)), 2)
        known = fleet.repository().fleet
        assert recipients.needing_others(known, readers) == ("t460",)
        assert recipients.needing_others(known, KeyGroups(((hq,),))) == ()
        assert (
            recipients.describe_readers(known, readers) == "2 of [ann, hq], [hq, hq, t460], [ann]"
        )


def test_one_document_that_does_not_open_is_the_end_of_it(fleet: Fleet) -> None:
    fleet.seal("systems/hq/secrets.yaml", "a: b\n", person()[1])
    reseal(fleet, fleet.ann)
    with pytest.raises(NoIdentityError) as caught:
        bring(fleet, SHARED, PurePosixPath("systems/hq/secrets.yaml"))
    assert str(caught.value).startswith("systems/hq/secrets.yaml: ")
    assert caught.value.status is ExitStatus.NO_IDENTITY


def test_a_document_in_step_needs_no_identity(fleet: Fleet) -> None:
    stranger = unlock_with(person()[0])
    assert recipients.bring(fleet.draft(), [SHARED], stranger).plan("nothing").empty


def test_two_spellings_that_one_private_half_opens_are_alike() -> None:
    _, public = generate_ed25519("x")
    converted = convert_public_key(public)
    assert recipients.opened_alike(parse_recipient(public.line)) == converted.text
    assert recipients.opened_alike(converted) == converted.text
