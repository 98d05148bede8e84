"""Certificates, verified by OpenSSL."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import X509, Reference
from nixsecrets.generators import certificates, keypairs
from nixsecrets.generators.generated import Generated
from nixsecrets.plaintext import Plaintext
from tests.tools import require_tool

NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = X509("Fleet CA", 3650, authority=True)
BY_ROOT = Reference("admins:ca")
LEAF = X509("hq.lan", 365, ("hq.lan", "*.hq.lan", "192.168.1.2", "fd00::1"), BY_ROOT)
DRAWN = certificates._Drawn(scalar=7, serial=11)


@pytest.fixture(scope="module")
def root() -> Generated:
    return certificates.certificate(ROOT, None, NOW)


def openssl(*arguments: str | Path, stdin: bytes = b"") -> tuple[int, str]:
    ended = subprocess.run(
        [require_tool("openssl"), *arguments], input=stdin, capture_output=True, check=False
    )
    return ended.returncode, (ended.stdout + ended.stderr).decode()


def file_of(folder: Path, name: str, content: bytes | None) -> Path:
    assert content is not None
    file = folder / name
    file.write_bytes(content)
    return file


def read(made: Generated) -> x509.Certificate:
    assert made.public is not None
    return x509.load_pem_x509_certificates(made.public)[0]


def test_openssl_verifies_a_leaf_for_each_of_its_names(tmp_path: Path, root: Generated) -> None:
    leaf = file_of(tmp_path, "leaf.pem", certificates.certificate(LEAF, root, NOW).public)
    ca = file_of(tmp_path, "ca.pem", root.public)
    strictly = ("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca)
    for name in (
        ("-verify_hostname", "hq.lan"),
        ("-verify_hostname", "cloud.hq.lan"),
        ("-verify_ip", "192.168.1.2"),
        ("-verify_ip", "fd00::1"),
    ):
        assert openssl(*strictly, *name, leaf) == (0, f"{leaf}: OK\n")
    status, said = openssl(*strictly, "-verify_hostname", "elsewhere.lan", leaf)
    assert (status, "hostname mismatch" in said) == (2, True)


def test_the_private_half_belongs_to_the_certificate(tmp_path: Path, root: Generated) -> None:
    made = certificates.certificate(LEAF, root, NOW)
    leaf = file_of(tmp_path, "leaf.pem", made.public)
    of_certificate = openssl("x509", "-in", leaf, "-noout", "-pubkey")
    of_private = openssl("pkey", "-pubout", stdin=made.value.reveal())
    assert of_certificate == of_private
    assert of_private[0] == 0
    assert made.value.reveal().startswith(b"-----BEGIN PRIVATE KEY-----\n")


def test_another_authority_has_not_signed_it(tmp_path: Path, root: Generated) -> None:
    leaf = file_of(tmp_path, "leaf.pem", certificates.certificate(LEAF, root, NOW).public)
    other = certificates.certificate(ROOT, None, NOW)
    status, _ = openssl("verify", "-CAfile", file_of(tmp_path, "ca.pem", other.public), leaf)
    assert status == 2


def test_what_is_below_two_authorities_brings_the_nearer_along(
    tmp_path: Path, root: Generated
) -> None:
    middle = certificates.certificate(X509("Host CA", 3650, by=BY_ROOT, authority=True), root, NOW)
    made = certificates.certificate(LEAF, middle, NOW)
    leaf = file_of(tmp_path, "leaf.pem", made.public)
    ca = file_of(tmp_path, "ca.pem", root.public)
    assert openssl("verify", "-CAfile", ca, "-untrusted", leaf, leaf) == (0, f"{leaf}: OK\n")
    assert made.public is not None
    assert [one.subject for one in x509.load_pem_x509_certificates(made.public)] == [
        read(made).subject,
        read(middle).subject,
    ]


def test_a_leaf_may_sign_itself(tmp_path: Path) -> None:
    made = certificates.certificate(LEAF._replace(by=None), None, NOW)
    leaf = file_of(tmp_path, "leaf.pem", made.public)
    assert openssl("verify", "-CAfile", leaf, "-verify_hostname", "hq.lan", leaf)[0] == 0


def test_it_is_valid_from_now_for_the_days_asked_for(root: Generated) -> None:
    made = read(certificates.certificate(LEAF, root, NOW))
    assert made.not_valid_before_utc == NOW - timedelta(minutes=1)
    assert made.not_valid_after_utc == NOW + timedelta(days=365)


def test_it_is_not_valid_longer_than_its_authority(root: Generated) -> None:
    made = read(certificates.certificate(LEAF._replace(days=36500), root, NOW))
    assert made.not_valid_after_utc == read(root).not_valid_after_utc


def test_the_same_draw_is_the_same_certificate() -> None:
    made = certificates._certificate(ROOT, None, NOW, DRAWN)
    assert made == certificates._certificate(ROOT, None, NOW, DRAWN)
    assert read(made).serial_number == 11
    assert read(made).public_key() != read(certificates.certificate(ROOT, None, NOW)).public_key()


def _signed_by_leaf(root: Generated) -> Generated:
    return certificates.certificate(LEAF, root, NOW)


def _of_other_halves(root: Generated) -> Generated:
    return Generated(certificates.certificate(ROOT, None, NOW).value, root.public)


def _without_certificate(root: Generated) -> Generated:
    return Generated(root.value)


def _of_another_kind(root: Generated) -> Generated:
    return Generated(keypairs.ssh_ed25519("").value, root.public)


def _no_private_half(root: Generated) -> Generated:
    return Generated(Plaintext(b"what somebody typed"), root.public)


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (_signed_by_leaf, "what is to sign it is no authority"),
        (
            _of_other_halves,
            "the certificate of what is to sign it does not belong to its private half",
        ),
        (
            _without_certificate,
            "what is to sign it is no private half with a certificate in PEM",
        ),
        (_of_another_kind, "what is to sign it is no private half with a certificate in PEM"),
        (_no_private_half, "what is to sign it is no private half with a certificate in PEM"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_no_authority_signs_nothing(root: Generated, spoil: object, problem: str) -> None:
    assert callable(spoil)
    with pytest.raises(RepositoryError) as caught:
        certificates.certificate(LEAF, spoil(root), NOW)
    assert caught.value.problem == problem
    assert "typed" not in f"{caught.value} {caught.value.hint}"
