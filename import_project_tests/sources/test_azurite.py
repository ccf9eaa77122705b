"""Azure Blob against Azurite, Microsoft's own emulator, as a child process."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from import_project.errors import ConfigError, LoginRefused, SourceDenied
from import_project.sources.object_login import ObjectPlace
from import_project.sources.object_store import ObjectStoreSource
from import_project_tests.object_servers import (
    AZURITE_ACCOUNT,
    AZURITE_KEY,
    AzureInbox,
    azure_sas,
    azurite_program,
    azurite_server,
)
from import_project_tests.sources.contract import aside, claim, listing, names, use
from import_project_tests.sources.object_contract import SECRET, TARGET
from import_project_tests.sources.object_crashes import CrashContract

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def azurite() -> Iterator[str]:
    program = azurite_program()
    assert program is not None, "Azurite is missing: run `make test-peers`, which installs it"
    with azurite_server(program) as url:
        yield url


class AzureContract(CrashContract):
    ambient = {  # noqa: RUF012
        "AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:1",
        "AZURE_STORAGE_ACCOUNT_KEY": "YW1iaWVudA==",
        "AZURE_STORAGE_TOKEN": "ambient",
        "AZURE_STORAGE_USE_EMULATOR": "true",
        "AZURE_SKIP_SIGNATURE": "true",
    }

    # a backslash is a slash in Azure's addresses
    unsafe_names = [".hidden.csv", "rtl\u202e.csv"]  # noqa: RUF012

    @pytest.fixture
    def inbox(self, place: ObjectPlace) -> Iterator[AzureInbox]:
        inbox = AzureInbox(f"{place.endpoint}/{place.bucket}", place.prefix)
        yield inbox
        inbox.close()


def _place(azurite: str, **login: str) -> ObjectPlace:
    place = ObjectPlace(
        kind="azure_blob",
        bucket=f"b{uuid4().hex}",
        prefix="partner/in",
        endpoint=azurite,
        account=AZURITE_ACCOUNT,
        connect_timeout=2,
        step_timeout=20,
    )
    return replace(place, **login)  # type: ignore[arg-type]


class TestAzureByKey(AzureContract):
    @pytest.fixture
    def place(self, azurite: str) -> ObjectPlace:
        return _place(azurite, account_key=AZURITE_KEY)

    def test_refused_key(self, place: ObjectPlace, inbox: AzureInbox) -> None:
        file = self.claimed(inbox, ObjectStoreSource(place))
        source = ObjectStoreSource(replace(place, account_key="c3RyYW5nZQ=="))
        steps: list[Callable[[Any], Awaitable[Any]]] = [
            lambda s: s.list(lambda _: True),
            lambda s: s.try_out("x"),
            lambda s: s.set_aside(file, TARGET, if_taken="other"),
        ]
        for step in steps:
            # Azurite calls a wrong key AuthorizationFailure, which is Azure's word for a missing right
            with pytest.raises((LoginRefused, SourceDenied), match="403"):
                use(source, step)

    def test_key_that_is_none(self, place: ObjectPlace) -> None:
        with pytest.raises(ConfigError, match="cannot be used") as error:
            listing(ObjectStoreSource(replace(place, account_key=SECRET)))
        assert SECRET not in str(error.value)


class TestAzureBySas(AzureContract):
    @pytest.fixture
    def place(self, azurite: str) -> ObjectPlace:
        return _place(azurite, sas=f"?{azure_sas()}")

    def test_sas_is_in_no_log(self, place: ObjectPlace, inbox: AzureInbox, caplog: pytest.LogCaptureFixture) -> None:
        file = self.claimed(inbox, ObjectStoreSource(place))
        inbox.close()
        caplog.clear()
        caplog.set_level(logging.DEBUG)
        assert aside(ObjectStoreSource(place), file, TARGET) == TARGET
        assert caplog.records
        assert [r for r in caplog.records if "sig=" in r.getMessage()] == []

    def test_refused_sas_is_not_shown(self, place: ObjectPlace, inbox: AzureInbox) -> None:
        file = self.claimed(inbox, ObjectStoreSource(place))
        sas = azure_sas().replace("sig=", f"sig={SECRET}")
        refused = ObjectStoreSource(replace(place, sas=sas))
        steps: list[Callable[[Any], Awaitable[Any]]] = [
            lambda s: s.list(lambda _: True),
            lambda s: s.try_out("x"),
            lambda s: s.set_aside(file, TARGET, if_taken="other"),
        ]
        for step in steps:
            with pytest.raises(Exception, match="403") as error:
                use(refused, step)
            assert SECRET not in str(error.value)

    def test_sas_that_may_not_delete(self, place: ObjectPlace, inbox: AzureInbox) -> None:
        source = ObjectStoreSource(place)
        file = self.claimed(inbox, source)
        bound = ObjectStoreSource(replace(place, sas=azure_sas(rights="rwlc")))
        with pytest.raises(Exception, match="cannot remove"):
            use(bound, lambda s: s.try_out("x"))
        with pytest.raises(Exception, match="cannot remove"):
            aside(bound, file, TARGET)
        assert claim(source, file) is True
        assert names(source) == set()
        assert aside(source, file, TARGET) == TARGET
