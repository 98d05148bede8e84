"""What the tests of the format share."""

from datetime import UTC, datetime

import pytest

from tests.sops.real import RealSops, make_identity
from tests.tools import require_sops


@pytest.fixture(scope="session")
def real_sops(tmp_path_factory: pytest.TempPathFactory) -> RealSops:
    identity, secret = make_identity()
    return RealSops(require_sops(), tmp_path_factory.mktemp("sops"), identity, secret)


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
