"""The sops that sops-nix pins, and the newest: each opens what was written here, and we theirs."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from nixsecrets import sops
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import sealing
from nixsecrets.sops.stores.formats import Format
from tests.sops.real import RealSops, make_identity
from tests.sops.stores_interop import Foreign
from tests.tools import require_sops_release

PINNED_BY_SOPS_NIX, NEWEST = "3.12.2", "3.13.3"


class Sample(NamedTuple):
    """A text in clear, and where in it a value is put, for sops and for us."""

    form: Format
    clear: bytes
    index: str
    path: tuple[str, ...]


SAMPLES = [
    Sample(
        Format.YAML,
        b'a: secret\n# told\nb:\n    - 1\n    - 2.5\n    - true\nc: "on"\nd_unencrypted: x\n',
        '["a"]',
        ("a",),
    ),
    Sample(
        Format.JSON,
        b'{\n\t"a": "secret",\n\t"b": [\n\t\t1,\n\t\t2.5,\n\t\ttrue,\n\t\t"\xc3\xa4"\n\t]\n}\n',
        '["a"]',
        ("a",),
    ),
    Sample(Format.DOTENV, b"# told\na=secret\nb=two words\n", '["a"]', ("a",)),
    Sample(Format.INI, b"[s]\n; told\na = secret\nb = two words\n", '["s"]["a"]', ("s", "a")),
    Sample(Format.BINARY, b"\x00\xffsecret\n", "", ()),
]
EDITED = [sample for sample in SAMPLES if sample.path]


def _name(sample: Sample) -> str:
    return sample.form.value


@pytest.fixture(scope="module", params=[PINNED_BY_SOPS_NIX, NEWEST])
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> RealSops:
    program = require_sops_release(request.param)
    identity, secret = make_identity()
    return RealSops(program, tmp_path_factory.mktemp("release"), identity, secret)


@pytest.mark.parametrize("sample", SAMPLES, ids=_name)
def test_what_the_release_seals_opens_here(release: RealSops, sample: Sample) -> None:
    theirs = Foreign(release, sample.form.value)
    sealed = theirs.encrypt(sample.clear)
    assert _plain(release, sealed, sample.form) == theirs.decrypt(sealed)


@pytest.mark.parametrize("sample", SAMPLES, ids=_name)
def test_what_is_sealed_here_opens_with_the_release(
    release: RealSops, sample: Sample, now: datetime
) -> None:
    sealed = _sealed(release, sample, now)
    assert Foreign(release, sample.form.value).decrypt(sealed) == _plain(
        release, sealed, sample.form
    )


@pytest.mark.parametrize("sample", EDITED, ids=_name)
def test_a_value_set_by_the_release_opens_here(
    release: RealSops, sample: Sample, now: datetime
) -> None:
    sealed = _sealed(release, sample, now)
    edited = Foreign(release, sample.form.value).edit(sealed, "set", sample.index, '"changed"')
    assert _value(release, edited, sample) == b"changed"


@pytest.mark.parametrize("sample", EDITED, ids=_name)
def test_a_value_set_here_opens_with_the_release(
    release: RealSops, sample: Sample, now: datetime
) -> None:
    theirs = Foreign(release, sample.form.value)
    opened = _opened(release, theirs.encrypt(sample.clear), sample.form)
    edited = sops.set_value(opened, sample.path, Plaintext(b"changed"), now)
    assert b"changed" in theirs.decrypt(edited)


@pytest.mark.parametrize("sample", SAMPLES, ids=_name)
def test_a_new_data_key_is_read_by_both(release: RealSops, sample: Sample, now: datetime) -> None:
    theirs = Foreign(release, sample.form.value)
    sealed = theirs.encrypt(sample.clear)
    ours = sealing.new_data_key(_opened(release, sealed, sample.form), [release.recipient], now)
    for content in (ours, theirs.edit(sealed, "rotate")):
        assert theirs.decrypt(content) == theirs.decrypt(sealed)
        assert _plain(release, content, sample.form) == theirs.decrypt(sealed)


def test_the_release_is_the_one_that_it_is_called(release: RealSops) -> None:
    said = release.output("--version", "--disable-version-check", content=b"").decode()
    assert Path(release.program).parent.name.removeprefix("sops-") in said


def _sealed(release: RealSops, sample: Sample, now: datetime) -> bytes:
    terms = sops.Terms(form=sample.form)
    return sops.seal(Plaintext(sample.clear), [release.recipient], now, terms)


def _opened(release: RealSops, content: bytes, form: Format) -> sops.OpenDocument:
    document = sops.parse(content, form)
    return sops.open_document(document, sops.open_data_key(document, [release.identity]))


def _plain(release: RealSops, content: bytes, form: Format) -> bytes:
    return sops.plain_text(_opened(release, content, form)).reveal()


def _value(release: RealSops, content: bytes, sample: Sample) -> bytes | None:
    found = _opened(release, content, sample.form).find(sample.path)
    return found.value.reveal() if found and found.value else None
