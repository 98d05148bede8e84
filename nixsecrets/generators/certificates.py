"""Certificates of a fleet's own authority: the private half is the value, the rest is public."""

import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from nixsecrets.errors import RepositoryError
from nixsecrets.fleet.generator import X509
from nixsecrets.generators.generated import Generated
from nixsecrets.plaintext import Plaintext

_CURVE = ec.SECP256R1()
_SERIAL_BITS = 159  # RFC 5280, section 4.1.2.2: at most 20 bytes, as a positive number
_SKEW = timedelta(minutes=1)  # of the clocks of hosts that see it at once


class _Issuer(NamedTuple):
    """`certificates`: its own first, then those above it."""

    private: ec.EllipticCurvePrivateKey
    certificates: tuple[x509.Certificate, ...]

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """What is sent along with a leaf: all but the root, which clients have."""
        return tuple(one for one in self.certificates if one.issuer != one.subject)


def certificate(wanted: X509, by: Generated | None, now: datetime) -> Generated:
    """Return a private half in PEM (PKCS#8, P-256); public is the certificate and its chain.

    Args:
        wanted: what it says.
        by: private half and certificate of its authority; None: it signs itself.
        now: it is valid from a minute earlier on, and not longer than its authority.

    Raises:
        RepositoryError: `by` is no authority.
    """
    drawn = _Drawn(
        1 + secrets.randbelow(_CURVE.group_order - 1), 1 + secrets.randbits(_SERIAL_BITS - 1)
    )
    return _certificate(wanted, None if by is None else _issuer(by), now, drawn)


class _Drawn(NamedTuple):
    """`scalar`: from 1 to the order of the curve's group, without that; `serial`: positive."""

    scalar: int
    serial: int


def _certificate(wanted: X509, issuer: _Issuer | None, now: datetime, drawn: _Drawn) -> Generated:
    private = ec.derive_private_key(drawn.scalar, _CURVE)
    signer = _Issuer(private, ()) if issuer is None else issuer
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.subject)])
    above = issuer.certificates[0] if issuer else None
    ends = now + timedelta(days=wanted.days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(above.subject if above else name)
        .public_key(private.public_key())
        .serial_number(drawn.serial)
        .not_valid_before(now - _SKEW)
        .not_valid_after(min(ends, above.not_valid_after_utc) if above else ends)
    )
    for extension, critical in _extensions(wanted, private, signer):
        builder = builder.add_extension(extension, critical=critical)
    made = builder.sign(signer.private, SHA256(), ecdsa_deterministic=True)
    public = b"".join(one.public_bytes(Encoding.PEM) for one in (made, *signer.chain))
    return Generated(_pem(private), public)


def _extensions(
    wanted: X509, private: ec.EllipticCurvePrivateKey, signer: _Issuer
) -> Iterator[tuple[x509.ExtensionType, bool]]:
    """Yield each extension and whether it is critical (RFC 5280, section 4.2.1)."""
    above = signer.private.public_key()
    yield x509.SubjectKeyIdentifier.from_public_key(private.public_key()), False
    yield x509.AuthorityKeyIdentifier.from_issuer_public_key(above), False
    yield x509.BasicConstraints(ca=wanted.authority, path_length=None), True
    yield _usage(authority=wanted.authority), True
    if not wanted.authority:
        yield x509.SubjectAlternativeName([_general_name(name) for name in wanted.names]), False
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        yield x509.ExtendedKeyUsage(usages), False


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(private: ec.EllipticCurvePrivateKey) -> Plaintext:
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Plaintext(private.private_bytes(*form))


def _issuer(by: Generated) -> _Issuer:
    """Read an authority.

    Raises:
        RepositoryError: it is none, or its halves do not belong together.
    """
    try:
        private = load_pem_private_key(by.value.reveal(), None)
        certificates = tuple(x509.load_pem_x509_certificates(by.public or b""))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise RepositoryError(
            "what is to sign it is no private half with a certificate in PEM",
            hint="generate it with `x509: { ca: true, subject: NAME }`",
        ) from None
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise RepositoryError("what is to sign it is no elliptic curve authority")
    if not _may_sign(certificates[0]):
        raise RepositoryError("what is to sign it is no authority", hint="say `ca: true` there")
    if certificates[0].public_key() != private.public_key():
        raise RepositoryError(
            "the certificate of what is to sign it does not belong to its private half",
            hint="generate that authority anew",
        )
    return _Issuer(private, certificates)


def _may_sign(one: x509.Certificate) -> bool:
    found = [extension.value for extension in one.extensions]
    return any(isinstance(value, x509.BasicConstraints) and value.ca for value in found)
