"""What a declaration's `generator` may say, and what is wrong with what it may not."""

import string

import pytest

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import (
    X509,
    Age,
    Asked,
    Base64,
    Command,
    Generator,
    HashedPassword,
    HashMethod,
    Hex,
    Htpasswd,
    Passphrase,
    Password,
    Prompt,
    Reference,
    ResticPassword,
    SshEd25519,
    Uuid,
    Wireguard,
    WireguardPreshared,
    references,
)
from nixsecrets.fleet.generator_reading import LOOK_ALIKES, parse_generator
from nixsecrets.fleet.manifest import parse_manifest
from nixsecrets.fleet.outline import Mapping, parse_outline

A, B = Reference("admins:a"), Reference("b")


def parse(text: str) -> Generator:
    node = parse_outline(f"generator: {text}\n")
    assert isinstance(node, Mapping)
    return parse_generator(node.entries[0].value)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("password", Password(32, string.ascii_letters + string.digits)),
        ("{ password: }", Password()),
        ("{ password: { length: 20 } }", Password(20)),
        ("{ password: { alphabet: digits } }", Password(32, "0123456789")),
        (
            "{ password: { alphabet: [lower, digits, letters] } }",
            Password(32, string.ascii_lowercase + string.digits + string.ascii_uppercase),
        ),
        ("{ password: { signs: abcab } }", Password(32, "abc")),
        ("{ password: { signs: '01 +' } }", Password(32, "01 +")),
        (
            "{ password: { alphabet: digits, avoid-look-alikes: true } }",
            Password(32, "3479"),
        ),
        ("passphrase", Passphrase(6, "-")),
        ("{ passphrase: { words: 8, separator: ' ' } }", Passphrase(8, " ")),
        ("hex", Hex(32)),
        ("{ hex: { bytes: 16 } }", Hex(16)),
        ("{ base64: { bytes: 64 } }", Base64(64)),
        ("uuid", Uuid()),
        ("{ uuid: }", Uuid()),
        ("restic-password", ResticPassword()),
        ("ssh-ed25519", SshEd25519("")),
        ("{ ssh-ed25519: { comment: git@hq } }", SshEd25519("git@hq")),
        ("wireguard", Wireguard()),
        ("wireguard-preshared", WireguardPreshared()),
        ("age", Age()),
        ("{ hashed-password: { of: 'admins:a' } }", HashedPassword(A, HashMethod.YESCRYPT)),
        (
            "{ hashed-password: { of: b, method: sha512-crypt } }",
            HashedPassword(B, HashMethod.SHA512),
        ),
        (
            "{ htpasswd: { of: { alice: 'admins:a', bob: b } } }",
            Htpasswd((("alice", A), ("bob", B))),
        ),
        ("{ x509: { ca: true, subject: Our CA } }", X509("Our CA", 3650, authority=True)),
        (
            "{ x509: { ca: true, subject: Our CA, by: b, days: 90 } }",
            X509("Our CA", 90, by=B, authority=True),
        ),
        ("{ x509: { subject: hq.lan, by: b } }", X509("hq.lan", 365, ("hq.lan",), B)),
        (
            "{ x509: { subject: The hub, sans: ['*.hq.lan', 10.0.0.1, '::1'], days: 30 } }",
            X509("The hub", 30, ("*.hq.lan", "10.0.0.1", "::1")),
        ),
        (
            "{ command: [openssl, rand, 16, '', $HOME] }",
            Command(("openssl", "rand", "16", "", "$HOME")),
        ),
        ("prompt", Prompt(Asked.HIDDEN)),
        ("{ prompt: }", Prompt(Asked.HIDDEN)),
        ("{ prompt: line }", Prompt(Asked.LINE)),
        ("{ prompt: multi-line }", Prompt(Asked.MULTI_LINE)),
    ],
)
def test_a_generator_is_read(text: str, meant: Generator) -> None:
    assert parse(text) == meant


@pytest.mark.parametrize(
    ("text", "column", "problem", "hint"),
    [
        (
            "pasword",
            12,
            "unknown generator 'pasword'",
            "did you mean password or htpasswd or restic-password?",
        ),
        ("{ passphras: }", 14, "unknown generator 'passphras'", "did you mean passphrase?"),
        (
            "",
            1,
            "'generator' must name one generator",
            "write `generator: passphrase` or `generator: { password: { length: 32 } }`",
        ),
        (
            "{ hex: , age: }",
            12,
            "'generator' must name one generator",
            "write `generator: passphrase` or `generator: { password: { length: 32 } }`",
        ),
        (
            "{ password: { lenght: 8 } }",
            26,
            "unknown manifest key 'lenght' in password",
            "did you mean length?",
        ),
        ("{ password: { length: 0 } }", 34, "'length' must be a number from 1 to 1024", None),
        ("{ password: { length: 1025 } }", 34, "'length' must be a number from 1 to 1024", None),
        ("{ password: { length: '8' } }", 34, "'length' must be a number from 1 to 1024", None),
        ("{ password: { length: [8] } }", 34, "'length' must be a number from 1 to 1024", None),
        (
            "{ password: { alphabet: alphanumeric } }",
            36,
            "unknown alphabet 'alphanumeric'",
            "known: lower, upper, letters, digits, symbols; own ones are spelled in `signs:`",
        ),
        (
            "{ password: { alphabet: digits, signs: abc } }",
            26,
            "'alphabet' beside 'signs'",
            "take one of the two out",
        ),
        (
            "{ password: { signs: aaa } }",
            24,
            "a password of fewer than two different signs",
            "name more of them",
        ),
        (
            "{ password: { signs: Il1, avoid-look-alikes: true } }",
            24,
            "a password of fewer than two different signs",
            "name more of them",
        ),
        ("{ passphrase: { words: 65 } }", 35, "'words' must be a number from 1 to 64", None),
        ("{ hex: 16 }", 19, "hex must be a mapping", None),
        ("{ uuid: { version: 7 } }", 20, "'uuid' takes nothing more", "write `generator: uuid`"),
        ("hashed-password", 12, "'of' is missing", "say `of: ADDRESS`"),
        (
            "{ hashed-password: { of: b, method: md5 } }",
            48,
            "'md5' is no 'method'",
            "use yescrypt or sha512-crypt or bcrypt",
        ),
        (
            "{ htpasswd: { of: {} } }",
            24,
            "'htpasswd' names no user",
            "say `of: { USER: ADDRESS }`",
        ),
        (
            "{ htpasswd: { of: { 'a:b': c } } }",
            32,
            "'a:b' is no user of an htpasswd file",
            "leave out ':'",
        ),
        ("{ x509: { ca: true } }", 20, "'x509' has no subject", "say `subject: NAME`"),
        (
            "{ x509: { subject: Our hub } }",
            20,
            "the subject 'Our hub' is no host's name",
            "say `sans: [NAME]`",
        ),
        (
            "{ x509: { subject: a, sans: ['a b'] } }",
            41,
            "'a b' is no DNS name and no address",
            None,
        ),
        (
            "{ x509: { ca: true, subject: a, sans: [b] } }",
            44,
            "'sans' of an authority, which speaks for no host",
            "take it out",
        ),
        (
            "{ x509: { subject: " + "a" * 65 + " } }",
            31,
            "the subject has 65 characters",
            "64 at most",
        ),
        ("command", 12, "'command' names no program", "write it like [openssl, rand, '16']"),
        (
            "{ command: openssl rand 16 }",
            23,
            "'command' must be a list",
            "write it in square brackets",
        ),
        ("{ command: [a, [b]] }", 27, "each of 'command' must be a string", None),
        ("{ prompt: secret }", 22, "'secret' is no 'prompt'", "use hidden or line or multi-line"),
    ],
    ids=lambda value: value if isinstance(value, str) and ":" in value else "",
)
def test_a_fault_has_its_place(text: str, column: int, problem: str, hint: str | None) -> None:
    with pytest.raises(RepositoryError) as caught:
        parse(text)
    found = caught.value
    assert (found.problem, found.hint) == (problem, hint)
    assert (found.line, found.column) == (1, column)


def test_generators_of_two_kinds_are_never_equal() -> None:
    assert Hex(32) != Base64(32)
    assert len({Uuid(), Age(), Wireguard(), WireguardPreshared(), ResticPassword()}) == 5


def test_signs_that_look_alike_are_left_out() -> None:
    generator = parse("{ password: { avoid-look-alikes: true } }")
    assert isinstance(generator, Password)
    assert set(generator.signs) == {*string.ascii_letters, *string.digits} - {*LOOK_ALIKES}


@pytest.mark.parametrize(
    ("generator", "needed"),
    [
        (HashedPassword(A), (A,)),
        (Htpasswd((("x", A), ("y", B), ("z", A))), (A, B)),
        (X509("leaf", 1, by=A), (A,)),
        (X509("root", 1, authority=True), ()),
        (Password(), ()),
        (Command(("true",)), ()),
    ],
)
def test_what_a_value_is_made_from(generator: Generator, needed: tuple[Reference, ...]) -> None:
    assert references(generator) == needed


MANIFEST = b"""\
version: 1
hosts: { hq: , t460: }
secrets:
  admins:
    login: { generator: passphrase }
  each:
    all:
      login-hash: { generator: { hashed-password: { of: "admins:login" } } }
  shared:
    by-hand: { owner: root }
"""


def test_a_declaration_holds_its_generator() -> None:
    declared = {str(one.address): one.generator for one in parse_manifest(MANIFEST).declarations}
    hashed = HashedPassword(Reference("admins:login"))
    assert declared == {
        "admins:login": Passphrase(),
        "host/hq:login-hash": hashed,
        "host/t460:login-hash": hashed,
        "shared:by-hand": None,
    }
