"""A data key split over key groups: Shamir's secret sharing over GF(2^8).

As sops has it (`shamir/shamir.go`, from HashiCorp Vault): the field of AES, an independent random
polynomial for every byte, and a share is the byte's values at one x, followed by that x.
"""

from collections.abc import Iterable, Sequence
from os import urandom

from nixsecrets.errors import IntegrityError, RepositoryError
from nixsecrets.plaintext import Plaintext

MOST_SHARES = 255
LEAST_THRESHOLD = 2
_POLYNOMIAL = 0x11B  # x^8 + x^4 + x^3 + x + 1, FIPS 197 section 4.2


def split(data_key: Plaintext, shares: int, threshold: int) -> tuple[Plaintext, ...]:
    """Return shares of a data key, any `threshold` of which give it back.

    Args:
        data_key: 32 bytes.
        shares: how many, for x = 1, 2, 3, …
        threshold: how many are needed; at least 2, at most `shares`.

    Returns:
        33 bytes each: one y for every byte, then x.

    Raises:
        RepositoryError: the numbers make no split.
    """
    check(shares, threshold)
    return _split(data_key, shares, urandom(len(data_key) * (threshold - 1)))


def check(shares: int, threshold: int) -> None:
    """Raise RepositoryError where a data key cannot be split like that."""
    if not LEAST_THRESHOLD <= threshold <= shares <= MOST_SHARES:
        raise RepositoryError(
            f"a threshold of {threshold} with {shares} key groups is impossible",
            hint=f"{LEAST_THRESHOLD} ≤ threshold ≤ key groups ≤ {MOST_SHARES}",
        )


def combine(shares: Sequence[Plaintext]) -> Plaintext:
    """Return what was split, by Lagrange interpolation at 0 over all shares.

    Fewer than the threshold give other bytes, and nothing here can tell: the caller counts.

    Raises:
        IntegrityError: a share is too short, they differ in length, or two are of one x.
    """
    parts = [share.reveal() for share in shares]
    places = [part[-1] for part in parts if part]
    if len({len(part) for part in parts}) != 1 or len(parts[0]) < LEAST_THRESHOLD:
        raise IntegrityError("the shares of the data key do not fit together")
    if len(set(places)) != len(places) or 0 in places:
        raise IntegrityError("two shares of the data key are the same one")
    weights = [_weight(place, places) for place in places]
    length = len(parts[0]) - 1
    return Plaintext(
        bytes(
            _sum(
                _multiply(part[index], weight) for part, weight in zip(parts, weights, strict=True)
            )
            for index in range(length)
        )
    )


def _split(data_key: Plaintext, shares: int, coefficients: bytes) -> tuple[Plaintext, ...]:
    """Split with the given coefficients: those of each byte's polynomial together, lowest first."""
    secret = data_key.reveal()
    degree = len(coefficients) // len(secret)
    polynomials = [
        secret[index : index + 1] + coefficients[index * degree : (index + 1) * degree]
        for index in range(len(secret))
    ]
    return tuple(
        Plaintext(bytes(_evaluate(polynomial, x) for polynomial in polynomials) + bytes([x]))
        for x in range(1, shares + 1)
    )


def _evaluate(polynomial: bytes, x: int) -> int:
    result = 0
    for coefficient in reversed(polynomial):
        result = _multiply(result, x) ^ coefficient
    return result


def _weight(place: int, places: Sequence[int]) -> int:
    """Return the value at 0 of the polynomial that is 1 at `place` and 0 at the other places."""
    weight = 1
    for other in places:
        if other != place:
            weight = _multiply(weight, _divide(other, other ^ place))
    return weight


def _sum(terms: Iterable[int]) -> int:
    result = 0
    for term in terms:
        result ^= term
    return result


def _powers() -> tuple[int, ...]:
    """Return the powers of the field's generator, twice over, so that exponents may be added."""
    powers = [1]
    while len(powers) < 2 * MOST_SHARES:
        doubled = powers[-1] << 1
        doubled ^= _POLYNOMIAL if doubled > MOST_SHARES else 0
        powers.append(doubled ^ powers[-1])
    return tuple(powers)


_POWERS = _powers()
_LOGARITHMS = {power: exponent for exponent, power in enumerate(_POWERS[:MOST_SHARES])}


def _multiply(left: int, right: int) -> int:
    if not left or not right:
        return 0
    return _POWERS[_LOGARITHMS[left] + _LOGARITHMS[right]]


def _divide(left: int, right: int) -> int:
    if not left:
        return 0
    return _POWERS[_LOGARITHMS[left] - _LOGARITHMS[right] + MOST_SHARES]
