"""Key groups: the data key split over them, and put together again."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import combinations
from typing import NamedTuple

import pytest

from nixsecrets.age.identity import Effort, Identity
from nixsecrets.age.keywrap import Stanza, wrap
from nixsecrets.errors import IntegrityError, NoIdentityError, RepositoryError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import shamir
from nixsecrets.sops.cipher import Cipher
from nixsecrets.sops.keygroups import KeyGroups, groups_of, open_data_key, wrap_groups
from nixsecrets.sops.metadata import KeyGroup, Metadata, metadata_fields, parse_metadata
from nixsecrets.sops.rules import DEFAULT_SELECTION
from nixsecrets.sops.stores.formats import Format, parse, parse_plain
from tests.sops.real import RealSops, make_identity
from tests.sops.stores_interop import seal

NO_DATA_KEY = 128  # exit status of sops
DATA_KEY = Plaintext(bytes(range(32)))
PLAIN = {
    Format.YAML: b"a: secret\n",
    Format.JSON: b'{\n\t"a": "secret"\n}\n',
    Format.DOTENV: b"a=secret\n",
    Format.INI: b"[s]\na = secret\n",
    Format.BINARY: b"\x00secret\n",
}


class Split(NamedTuple):
    groups: int
    threshold: int
    needed: int


SPLITS = [
    pytest.param(Split(2, 2, 2), id="2 of 2"),
    pytest.param(Split(3, 2, 2), id="2 of 3"),
    pytest.param(Split(3, 3, 3), id="3 of 3"),
    pytest.param(Split(3, 0, 3), id="3 groups without a threshold"),
]


@dataclass(frozen=True)
class Person:
    identity: Identity
    secret: Plaintext


@pytest.fixture(scope="module")
def people() -> tuple[Person, ...]:
    return tuple(Person(*make_identity()) for _ in range(4))


def groups(people: Sequence[Person], threshold: int = 0) -> KeyGroups:
    return KeyGroups(tuple((one.identity.recipient,) for one in people), threshold)


def identities(people: Sequence[Person]) -> list[Identity]:
    return [one.identity for one in people]


def secrets(people: Sequence[Person]) -> Plaintext:
    return Plaintext(b"\n".join(one.secret.reveal().strip() for one in people))


def metadata(readers: KeyGroups, data_key: Plaintext = DATA_KEY) -> Metadata:
    wrapped, threshold = wrap_groups(data_key, readers)
    return Metadata(
        wrapped,
        DEFAULT_SELECTION,
        mac_only_encrypted=False,
        lastmodified="l",
        mac="m",
        threshold=threshold,
    )


def open_sealed(content: bytes, form: Format, people: Sequence[Person]) -> Plaintext:
    """Return the data key of a document; that it is the right one is verified."""
    fields = parse(content, form).metadata
    assert fields is not None
    found = parse_metadata(fields)
    data_key = open_data_key(found, identities(people))
    Cipher(data_key).open(found.mac, found.lastmodified.encode())
    return data_key


@pytest.mark.parametrize("form", Format, ids=lambda form: form.value)
@pytest.mark.parametrize("split", SPLITS)
def test_sops_opens_what_is_split_here(
    real_sops: RealSops, people: Sequence[Person], split: Split, form: Format
) -> None:
    readers = groups(people[: split.groups], split.threshold)
    sealed = seal(parse_plain(PLAIN[form], form), readers, datetime.now(UTC))
    arguments = ("decrypt", *types(form), real_sops.file.name)
    for some in chosen(people[: split.groups], split.needed, form):
        done = real_sops.run(*arguments, content=sealed, secret=secrets(some))
        assert done.stdout.split() == PLAIN[form].split(), done.stderr.decode()
        open_sealed(sealed, form, some)
    for some in chosen(people[: split.groups], split.needed - 1, form):
        done = real_sops.run(*arguments, content=sealed, secret=secrets(some))
        assert done.returncode == NO_DATA_KEY


@pytest.mark.parametrize("form", Format, ids=lambda form: form.value)
@pytest.mark.parametrize("split", SPLITS)
def test_what_sops_split_is_opened(
    real_sops: RealSops, people: Sequence[Person], split: Split, form: Format
) -> None:
    sealed = split_by_sops(real_sops, people[: split.groups], split.threshold, form)
    for some in combinations(people[: split.groups], split.needed):
        open_sealed(sealed, form, some[::-1])
    words = f"of {split.groups} key groups .* {split.needed} are needed"
    for some in combinations(people[: split.groups], split.needed - 1):
        with pytest.raises(NoIdentityError, match=words):
            open_sealed(sealed, form, some)


@pytest.mark.parametrize("form", Format, ids=lambda form: form.value)
def test_metadata_of_sops_are_written_back_as_they_were(
    real_sops: RealSops, people: Sequence[Person], form: Format
) -> None:
    sealed = split_by_sops(real_sops, people[:3], 2, form)
    text = parse(sealed, form)
    assert text.metadata is not None
    assert text.apply(text.write_metadata(metadata_fields(parse_metadata(text.metadata)))) == sealed


def chosen(people: Sequence[Person], number: int, form: Format) -> list[tuple[Person, ...]]:
    """Return so many of the people: in every way for YAML, in one way for the other formats."""
    ways = list(combinations(people, number))
    return ways if form is Format.YAML else ways[-1:]


def types(form: Format) -> tuple[str, ...]:
    return ("--input-type", form.value, "--output-type", form.value)


def split_by_sops(sops: RealSops, people: Sequence[Person], threshold: int, form: Format) -> bytes:
    key_groups = [{"age": [one.identity.recipient.text]} for one in people]
    rule = {"key_groups": key_groups, "shamir_threshold": threshold}
    config = sops.folder / "policy.yaml"
    config.write_text(json.dumps({"creation_rules": [rule]}))
    arguments = ("--config", str(config), "encrypt", *types(form), sops.file.name)
    return sops.output(*arguments, content=PLAIN[form])


def test_shares_stand_in_any_order(people: Sequence[Person]) -> None:
    split = metadata(groups(people[:3], 2))
    shuffled = split._replace(groups=(split.groups[2], split.groups[0], split.groups[1]))
    for some in combinations(people[:3], 2):
        assert open_data_key(shuffled, identities(some)) == DATA_KEY


def test_a_group_opens_by_any_of_its_recipients(people: Sequence[Person]) -> None:
    one, two, three, four = (person.identity.recipient for person in people)
    split = metadata(KeyGroups(((one, two, one), (three, four))))
    assert [len(group.stanzas) for group in split.groups] == [2, 2]
    for some in ((0, 2), (0, 3), (1, 2), (1, 3)):
        assert open_data_key(split, identities([people[n] for n in some])) == DATA_KEY


def test_without_a_stored_threshold_all_that_opens_is_combined(people: Sequence[Person]) -> None:
    split = metadata(groups(people[:3], 3))._replace(threshold=0)
    assert open_data_key(split, identities(people[:3])) == DATA_KEY
    assert open_data_key(split, identities(people[:2])) != DATA_KEY
    with pytest.raises(NoIdentityError, match="number 1 opened, and 2 are needed"):
        open_data_key(split, identities(people[1:2]))


def test_a_failure_names_the_groups_that_opened(people: Sequence[Person]) -> None:
    split = metadata(groups(people[:4], 3))
    with pytest.raises(NoIdentityError) as caught:
        open_data_key(split, identities([people[0], people[2]]))
    assert caught.value.problem == (
        "of 4 key groups number 0, 2 opened, and 3 are needed"
        " (key group 1: none of the test opens the data key, wrapped to 1 recipient;"
        " key group 3: none of the test opens the data key, wrapped to 1 recipient)"
    )


def test_no_identity_opens_no_group(people: Sequence[Person]) -> None:
    with pytest.raises(NoIdentityError, match="key groups none opened, and 2 are needed"):
        open_data_key(metadata(groups(people[:2])), [])


def test_a_passphrase_is_asked_for_only_where_groups_are_missing(people: Sequence[Person]) -> None:
    asked = []

    def ask(_message: bytes) -> None:
        asked.append(1)

    locked = Identity(None, "locked", ask, Effort.PASSPHRASE)
    split = metadata(groups(people[:3], 2))
    assert open_data_key(split, [locked, *identities(people[1:3])]) == DATA_KEY
    assert not asked
    with pytest.raises(NoIdentityError):
        open_data_key(split, [locked, people[2].identity])
    assert asked


def test_a_damaged_share_is_told_as_such(people: Sequence[Person]) -> None:
    split = metadata(groups(people[:2]))
    mine = people[1].identity.recipient
    other = wrap(DATA_KEY, people[2].identity.recipient)
    damaged = KeyGroup((Stanza(mine.text, other.enc),))
    with pytest.raises(IntegrityError, match="key group 1: the stanza of age1"):
        open_data_key(split._replace(groups=(split.groups[0], damaged)), identities(people[:2]))


@pytest.mark.parametrize(
    "data_key", [Plaintext(b"x" * 16), Plaintext(b"x" * 33)], ids=["short", "a share"]
)
@pytest.mark.parametrize("number", [1, 2])
def test_what_is_no_data_key_is_refused(
    people: Sequence[Person], number: int, data_key: Plaintext
) -> None:
    with pytest.raises(IntegrityError, match="no data key of 32 bytes"):
        open_data_key(metadata(groups(people[:number]), data_key), identities(people))


def test_the_same_share_twice_is_refused(people: Sequence[Person]) -> None:
    share = shamir.split(DATA_KEY, 2, 2)[0]
    twice = tuple(KeyGroup((wrap(share, one.identity.recipient),)) for one in people[:2])
    with pytest.raises(IntegrityError, match="two shares of the data key are the same one"):
        open_data_key(metadata(groups(people[:2]))._replace(groups=twice), identities(people))


@pytest.mark.parametrize(
    ("sizes", "threshold", "problem"),
    [
        ((), 0, "no recipient to seal it for"),
        ((0,), 0, "no recipient to seal it for"),
        ((1, 0, 1), 0, "key group 1 names no recipient"),
        ((1, 1), 3, "a threshold of 3 with 2 key groups is impossible"),
        ((1, 1), 1, "a threshold of 1 with 2 key groups is impossible"),
    ],
)
def test_groups_that_make_no_split_are_refused(
    people: Sequence[Person], sizes: Sequence[int], threshold: int, problem: str
) -> None:
    mine = people[0].identity.recipient
    with pytest.raises(RepositoryError) as caught:
        groups_of(KeyGroups(tuple((mine,) * size for size in sizes), threshold))
    assert caught.value.problem == problem


def test_readers_are_one_group_unless_they_are_groups(people: Sequence[Person]) -> None:
    one, two = (person.identity.recipient for person in people[:2])
    assert groups_of([one, two, one]) == KeyGroups(((one, two),))
    assert groups_of(KeyGroups(((one, one),), 1)) == KeyGroups(((one,),))
    assert groups_of(KeyGroups(((one,), (two,)))) == KeyGroups(((one,), (two,)), 2)
    assert KeyGroups(((one,), (two, one))).recipients == (one, two)


def test_in_a_single_group_stanzas_stay_where_recipients_are_added(
    people: Sequence[Person],
) -> None:
    one, two, three = (person.identity.recipient for person in people[:3])
    group = KeyGroup(wrap_groups(DATA_KEY, [one])[0][0].stanzas, {"pgp": ({"fp": "A"},)})
    before = metadata(KeyGroups(((one,),)))._replace(groups=(group,), threshold=1)
    (after,), threshold = wrap_groups(DATA_KEY, [two, one], before)
    assert after.stanzas[1] == group.stanzas[0]
    assert (after.others, threshold) == (group.others, 1)
    (turned,), _ = wrap_groups(DATA_KEY, [three], before._replace(groups=(after,)))
    assert [stanza.recipient for stanza in turned.stanzas] == [three.label]


def test_several_groups_get_new_shares(people: Sequence[Person]) -> None:
    before = metadata(groups(people[:2]))
    after, threshold = wrap_groups(DATA_KEY, groups(people[:3], 2), before)
    assert threshold == 2
    assert not {stanza.enc for stanza in before.stanzas} & {
        stanza.enc for group in after for stanza in group.stanzas
    }
    mixed = before._replace(groups=(before.groups[0], after[1]))
    assert open_data_key(mixed, identities(people)) != DATA_KEY
    (alone,), threshold = wrap_groups(DATA_KEY, groups(people[:1]), before)
    assert threshold == 0
    assert open_data_key(before._replace(groups=(alone,)), identities(people)) == DATA_KEY


@pytest.mark.parametrize(("were", "become"), [(1, 2), (2, 1), (2, 2), (3, 2)])
def test_other_services_cannot_be_given_a_new_share(
    people: Sequence[Person], were: int, become: int
) -> None:
    before = metadata(groups(people[:were]))
    with_pgp = before.groups[-1]._replace(others={"pgp": ({"fp": "A", "enc": "x"},)})
    before = before._replace(groups=(*before.groups[:-1], with_pgp))
    with pytest.raises(RepositoryError, match="pgp could not be given a new share"):
        wrap_groups(DATA_KEY, groups(people[:become]), before)


def test_a_group_of_other_services_alone_is_passed_over(people: Sequence[Person]) -> None:
    split = metadata(groups(people[:3], 2))
    foreign = KeyGroup((), {"pgp": ({"fp": "A", "enc": "x"},)})
    split = split._replace(groups=(foreign, *split.groups[1:]))
    assert open_data_key(split, identities(people)) == DATA_KEY
    only = split._replace(groups=(foreign, foreign))
    with pytest.raises(NoIdentityError, match="no age recipient can open it, only pgp"):
        open_data_key(only, identities(people))


@pytest.mark.parametrize("form", [Format.YAML, Format.JSON, Format.DOTENV, Format.INI])
def test_a_single_group_below_key_groups_is_read_and_written_flat(
    real_sops: RealSops, people: Sequence[Person], form: Format
) -> None:
    sealed = seal(parse_plain(PLAIN[form], form), groups(people[:1]), datetime.now(UTC))
    text = parse(sealed, form)
    flat = dict(text.metadata or {})
    nested = {"key_groups": ({"age": flat.pop("age"), "hc_vault": ()},)} | flat
    content = text.apply(text.write_metadata(nested))
    assert b"key_groups" in content
    file = real_sops.file.name
    done = real_sops.run("decrypt", *types(form), file, content=content, secret=secrets(people[:1]))
    assert done.returncode == 0, done.stderr.decode()
    open_sealed(content, form, people[:1])
    again = parse(content, form)
    fields = metadata_fields(parse_metadata(again.metadata or {}))
    rewritten = again.apply(again.write_metadata(fields))
    assert b"key_groups" not in rewritten
    open_sealed(rewritten, form, people[:1])


def test_ini_of_sops_3_13_0_has_real_line_breaks_in_its_shares(
    real_sops: RealSops, people: Sequence[Person]
) -> None:
    sealed = split_by_sops(real_sops, people[:2], 2, Format.INI).decode()
    head, mark, metadata = sealed.partition("[sops]\n")
    whole = re.sub(
        r"= (.*\\n.*)", lambda found: '= """' + found[1].replace("\\n", "\n") + '"""', metadata
    )
    assert whole != metadata
    open_sealed((head + mark + whole).encode(), Format.INI, people[:2])


@pytest.mark.parametrize("form", [Format.DOTENV, Format.INI])
def test_a_threshold_may_be_spelled_as_a_float(
    real_sops: RealSops, people: Sequence[Person], form: Format
) -> None:
    sealed = split_by_sops(real_sops, people[:3], 2, form)
    old = re.sub(rb"(shamir_threshold *= *)2", rb"\g<1>2.000000", sealed)
    assert old != sealed
    open_sealed(old, form, people[1:3])
