from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

from nixsecrets.errors import NoIdentityError
from nixsecrets.fleet.load import Repository
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import delivery, earlier, wiring
from nixsecrets.plans.delivery import Delivery, HostFile
from nixsecrets.sops.document import Document
from nixsecrets.sops.sealing import Terms, seal
from nixsecrets.sops.stores.formats import Format
from tests.plans.fleets import person, unlock_with
from tests.plans.wiring_fleets import NOW, one_host, repository

ADMIN, ADMINS_RECIPIENT = person()
NONCE = "00ff" * 16
DECLARED = """\
secrets:
  hosts:
    hq:
      admin/password: { owner: nextcloud, mode: "0440" }
      db/password: { owner: postgres, group: keys, path: /var/lib/db.pass }
      jane/hash: { needed-for-users: true }
      mail.env: { file: systems/hq/mail.env, whole-file: true }
      lacking: {}
templates:
  hosts:
    hq:
      app.conf: { content: "a={{ admin/password }}\\nb={{ db/password }}\\n" }
"""
VALUES = "admin: { password: one }\ndb: { password: two }\njane: { hash: three }\n"


def sealed(text: str, form: Format = Format.YAML) -> bytes:
    return seal(Plaintext(text.encode()), [ADMINS_RECIPIENT], NOW, Terms(form))


def fleet(root: Path) -> Repository:
    files = {
        **one_host(DECLARED),
        "systems/hq/secrets.yaml": sealed(VALUES),
        "systems/hq/mail.env": sealed("A=1\nB=2\n", Format.DOTENV),
    }
    known = repository(root, files)
    host = known.fleet.host("hq")
    return repository(root, {**files, "systems/hq/secrets.nix": wiring.render(known, host)})


def closed(_: Document) -> Plaintext:
    raise NoIdentityError("nothing opens it")


def total(content: str) -> str:
    return sha256(f"{NONCE}{content}{NONCE}".encode()).hexdigest()


def test_a_host_must_show_what_its_wiring_means(tmp_path: Path) -> None:
    known = fleet(tmp_path)
    found = delivery.expected(known, known.fleet.host("hq"), unlock_with(ADMIN), NONCE)
    rendered = "/run/secrets/rendered/app.conf"
    assert found == Delivery(
        (
            HostFile(
                *("host/hq:admin/password", "/run/secrets/admin/password", "nextcloud", None),
                *(0o440, total("one")),
            ),
            HostFile(
                *("host/hq:db/password", "/var/lib/db.pass", "postgres", "keys"),
                *(0o400, total("two")),
            ),
            HostFile(
                *("host/hq:jane/hash", "/run/secrets-for-users/jane/hash", "root", "root"),
                *(0o400, total("three")),
            ),
            HostFile(*("host/hq:lacking", "/run/secrets/lacking", "root", "root"), 0o400, None),
            HostFile(
                *("host/hq:mail.env", "/run/secrets/mail.env", "root", "root"),
                *(0o400, total("A=1\nB=2\n")),
            ),
            HostFile("host/hq:app.conf", rendered, "root", "root", 0o400, total("a=one\nb=two\n")),
        ),
        (),
    )


def test_without_an_identity_no_content_is_compared(tmp_path: Path) -> None:
    known = fleet(tmp_path)
    found = delivery.expected(known, known.fleet.host("hq"), closed, NONCE)
    assert {file.digest for file in found.files} == {None}
    documents = ("systems/hq/secrets.yaml", "systems/hq/mail.env")
    assert found.closed == tuple(map(PurePosixPath, documents))


def test_a_host_without_wiring_is_given_nothing(tmp_path: Path) -> None:
    known = repository(tmp_path, one_host(DECLARED))
    found = delivery.expected(known, known.fleet.host("hq"), closed, NONCE)
    assert found == Delivery((), ())


class Shown(NamedTuple):
    owner: str = "nextcloud"
    group: str = "anything"
    mode: str = "440"
    digest: str = "d"


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (Shown(), []),
        (None, ["host/hq:n: /p is not there"]),
        (Shown(owner="root"), ["host/hq:n: /p belongs to root, not to nextcloud"]),
        (Shown(mode="400"), ["host/hq:n: /p has the mode 400, not 0440"]),
        (Shown(digest="e"), ["host/hq:n: /p holds another value"]),
        (
            Shown(owner="0", digest="e"),
            ["host/hq:n: /p belongs to 0, not to nextcloud", "host/hq:n: /p holds another value"],
        ),
    ],
    ids=["as it must be", "absent", "owner", "mode", "content", "two"],
)
def test_what_is_shown_otherwise_is_told(shown: Shown | None, words: list[str]) -> None:
    wanted = Delivery((HostFile("host/hq:n", "/p", "nextcloud", None, 0o440, "d"),), ())
    assert list(delivery.differences(wanted, {"/p": shown})) == words


def test_a_group_counts_where_it_is_known() -> None:
    wanted = Delivery((HostFile("host/hq:n", "/p", "root", "keys", 0o400, None),), ())
    told = delivery.differences(wanted, {"/p": Shown("root", "root", "400", "-")})
    assert told == ("host/hq:n: /p is of the group root, not keys",)


@pytest.mark.parametrize(
    ("path", "content", "words"),
    [
        ("", b"", None),
        ("keys/hosts/hq.pub", b"age1other\n", "its recipient has changed since"),
        ("keys/hosts/hq.pub", None, "its recipient has changed since"),
        (
            *("systems/hq/secrets.yaml", None),
            "host/hq:jane/hash, which logging in needs, has changed since",
        ),
        ("systems/hq/mail.env", None, None),
    ],
    ids=["nothing", "another key", "no key", "a login value", "another value"],
)
def test_a_person_decides_where_going_back_may_lock_out(
    tmp_path: Path, path: str, content: bytes | None, words: str | None
) -> None:
    known = fleet(tmp_path)

    def before(asked: PurePosixPath) -> bytes | None:
        return content if str(asked) == path else known.sources.read(asked).content

    assert earlier.obstacle(known, known.fleet.host("hq"), before) == words


def test_documents_that_did_not_name_the_host_are_told(tmp_path: Path) -> None:
    known = fleet(tmp_path)
    host = known.fleet.host("hq")
    found = earlier.closed_documents(known, host, lambda path: known.sources.read(path).content)
    assert [path.name for path in found] == ["secrets.yaml", "mail.env"]
