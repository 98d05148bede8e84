"""Documents that were tampered with are refused, hold the same, or differ by a known hole."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from random import Random

import pytest

from nixsecrets.age.identity import Identity
from nixsecrets.errors import NixsecretsError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import document, sealing
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.keygroups import KeyGroups
from nixsecrets.sops.sealing import Terms
from nixsecrets.sops.stores.formats import Format
from tests.sops.real import RealSops, make_identity
from tests.sops.tampering import Case, Hole, Mutation, holes, mutated

PAGE = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
EACH = 30
"""Mutations of each kind and document: together more than ten thousand."""

TEXTS = {
    Format.YAML: b"""\
# who answers
on_call: alice
pin: 4711
rate: 0.25
enabled: true
since: 2024-05-06
db:
    # of the base
    user: nextcloud
    password: hunter2
servers:
    - hq
    - host: t15g
      port: 22
    - h
    - h2
empty: ""
nothing: null
port_unencrypted: 8443
site_unencrypted: example
list_unencrypted:
    - 1
    - 11
""",
    Format.JSON: b"""\
{
\t"on_call": "alice",
\t"pin": 4711,
\t"rate": 0.25,
\t"enabled": true,
\t"db": {
\t\t"user": "nextcloud",
\t\t"password": "hunter2"
\t},
\t"servers": [
\t\t"hq",
\t\t{
\t\t\t"host": "t15g",
\t\t\t"port": 22
\t\t},
\t\t"h"
\t],
\t"empty": "",
\t"nothing": null,
\t"port_unencrypted": 8443,
\t"site_unencrypted": "example"
}
""",
    Format.DOTENV: b"""\
# who answers
ON_CALL=alice
PIN=4711
# of the base
USER=nextcloud
PASSWORD=hunter2
EMPTY=
PORT_unencrypted=8443
SITE_unencrypted=example
""",
    Format.INI: b"""\
; who answers
on_call = alice
pin     = 4711

[db]
; of the base
user             = nextcloud
password         = hunter2
empty            =
port_unencrypted = 8443
site_unencrypted = example

[last]
name = t15g
""",
    Format.BINARY: b"\x00\xffany bytes\n" * 5,
}


def _cases(sops: RealSops, now: datetime) -> list[Case]:
    made = []
    for form, text in TEXTS.items():
        types = ("--input-type", form.value, "--output-type", form.value)
        theirs = [sops.encrypt(text, *types) for _ in range(2)]
        ours = [_sealed(text, Terms(form), sops, now) for _ in range(2)]
        made += [Case(f"{form.value} of sops", form, *theirs), Case(form.value, form, *ours)]
    for form in (Format.YAML, Format.JSON):
        terms = Terms(form, mac_only_encrypted=True)
        partial = [_sealed(TEXTS[form], terms, sops, now) for _ in range(2)]
        made.append(Case(f"{form.value}, mac_only_encrypted", form, *partial))
    stream = TEXTS[Format.YAML] + b"---\n# second\nlater: x\nzone_unencrypted: 5\n"
    made.append(Case("stream", Format.YAML, *(sops.encrypt(stream) for _ in range(2))))
    others = [make_identity()[0].recipient for _ in range(2)]
    groups = KeyGroups(((sops.recipient, others[0]), (sops.recipient,), (others[1],)), 2)
    for form in (Format.YAML, Format.JSON, Format.DOTENV, Format.INI):
        plaintext = Plaintext(TEXTS[form])
        shared = [sealing.seal(plaintext, groups, now, Terms(form)) for _ in range(2)]
        made.append(Case(f"{form.value}, key groups", form, *shared))
    return made


def _sealed(text: bytes, terms: Terms, sops: RealSops, now: datetime) -> bytes:
    return sealing.seal(Plaintext(text), [sops.recipient], now, terms)


@pytest.fixture(scope="module")
def cases(real_sops: RealSops) -> list[Case]:
    return _cases(real_sops, datetime.fromisoformat("2024-05-06T07:08:09+00:00"))


def test_nothing_that_is_tampered_with_opens_but_by_a_known_hole(
    cases: Sequence[Case], real_sops: RealSops, record_property: Callable[[str, object], None]
) -> None:
    random = Random("tampering")  # noqa: S311  # the same mutations in every run
    counted: Counter[str] = Counter()
    for case in cases:
        before = _open(case.content, case.form, real_sops.identity)
        for mutation in Mutation:
            for _ in range(EACH):
                content = mutated(case, mutation, random)
                if content is None or content == case.content:
                    continue
                counted["tried"] += 1
                outcome = _outcome(before, content, case, mutation, real_sops.identity)
                counted[outcome] += 1
    for outcome, count in counted.items():
        record_property(outcome, count)
    assert counted["tried"] > 10_000
    assert counted["refused"] > counted["tried"] // 2


def _outcome(
    before: OpenDocument, content: bytes, case: Case, mutation: Mutation, identity: Identity
) -> str:
    try:
        after = _open(content, case.form, identity)
    except NixsecretsError:
        return "refused"
    found = holes(before, after)
    allowed = mutation.holes | (
        {Hole.VALUES_IN_CLEAR} if before.document.metadata.mac_only_encrypted else set()
    )
    assert found <= allowed, (case.name, mutation.title, found, content)
    return ", ".join(sorted(hole.name for hole in found)) or "the same"


def _open(content: bytes, form: Format, identity: Identity) -> OpenDocument:
    parsed = document.parse(content, form)
    return document.open_document(parsed, document.open_data_key(parsed, [identity]))


def test_items_of_one_list_change_places_where_their_bytes_in_a_row_stay(
    real_sops: RealSops, now: datetime
) -> None:
    sealed = _sealed(b"a:\n    - x\n    - xx\n", Terms(), real_sops, now)
    exchanged = re.sub(rb"( +- ENC.*\n)( +- ENC.*\n)", rb"\2\1", sealed)
    assert exchanged != sealed
    opened, before = (_open(one, Format.YAML, real_sops.identity) for one in (exchanged, sealed))
    assert [one.value for one in opened.items] == [Plaintext(b"xx"), Plaintext(b"x")]
    assert holes(before, opened) == {Hole.BORDERS}
    assert real_sops.decrypt(exchanged) == b"a:\n    - xx\n    - x\n"


def test_the_page_names_every_hole() -> None:
    section = PAGE.partition("### What the MAC does not cover")[2].partition("\n```")[0]
    rows = {int(row) for row in re.findall(r"^(\d+)\. ", section, re.MULTILINE)}
    assert rows == {1, 2, 3, 10} | {hole.value for hole in Hole}
