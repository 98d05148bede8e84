from pathlib import PurePosixPath

import pytest

from nixsecrets.errors import ExitStatus, RepositoryError
from nixsecrets.fleet.model import (
    CommitSettings,
    Engine,
    Fleet,
    Host,
    HostSettings,
    RebuildSettings,
)
from nixsecrets.fleet.names import HostName
from tests.fleet.fleets import model_fleet

_HQ = Host.of(HostName("hq"), HostSettings(attribute="nixhq"), PurePosixPath("systems/hq"))
_MAC = Host.of(HostName("mac"), HostSettings(), PurePosixPath("systems/mac"))


def test_finds_hosts_groups_and_people_by_name() -> None:
    fleet = model_fleet()
    assert fleet.host("t15g") is fleet.hosts[2]
    assert fleet.group("servers") is fleet.groups[1]
    assert fleet.person("ops") is fleet.people[1]


def test_an_unknown_host_is_told_with_the_nearest() -> None:
    with pytest.raises(RepositoryError) as caught:
        model_fleet().host("t15")
    assert caught.value.problem == "unknown host 't15'"
    assert caught.value.hint == "did you mean t15g? `nixsecrets hosts` lists all"
    assert caught.value.status is ExitStatus.REPOSITORY


def test_without_a_manifest_no_host_is_known() -> None:
    with pytest.raises(RepositoryError) as caught:
        Fleet(managed=False).host("hq")
    assert caught.value.hint == "without nixsecrets.yaml no host is known"


def test_this_machine_is_found_by_its_own_name() -> None:
    fleet = model_fleet()
    assert fleet.this_machine("nixt15g") is fleet.host("t15g")
    assert fleet.this_machine("t15g") is None


def test_a_hosts_engine_goes_before_the_fleets() -> None:
    fleet = model_fleet()
    assert fleet.engine_of(fleet.host("vm01")) is Engine.PRINT
    assert fleet.engine_of(fleet.host("hq")) is Engine.NIXOS_REBUILD


def test_a_host_without_key_file_has_no_recipient() -> None:
    fleet = model_fleet("mac")
    assert [host.name for host in fleet.hosts if host.recipient is None] == ["mac"]


def test_a_commit_speaks_of_its_host() -> None:
    commit = CommitSettings()
    assert commit.message_of(_HQ, "425", "new mail") == "nixhq: generation 425 - new mail"
    assert commit.message_of(_HQ, "425", "") == "nixhq: generation 425"
    assert commit.message_of(_MAC, "1", "{host} {x}") == "mac: generation 1 - {host} {x}"
    assert commit.paths_of(_HQ)[2] == PurePosixPath("systems/hq")
    assert commit._replace(paths=("{host}.{attribute}",)).paths_of(_HQ) == (
        PurePosixPath("hq.nixhq"),
    )


def test_the_log_lies_with_the_host() -> None:
    assert RebuildSettings().log_of(_MAC) == PurePosixPath("systems/mac/rebuild.log")
