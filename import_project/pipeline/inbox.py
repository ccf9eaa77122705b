"""Opening a feed's source: from its model, with its secrets read now, to the protocol's own class. Nothing is
connected."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from import_project.config.load import LoadedFeed
from import_project.config.patterns import rendered
from import_project.config.sources import (
    AzureContainer,
    FtpServer,
    GcsBucket,
    HttpPull,
    LocalFolder,
    S3Bucket,
    SftpServer,
)
from import_project.config.values import Secret
from import_project.sources.base import Source

_FTP_PORTS = {"explicit": 21, "none": 21, "implicit": 990}


def open_source(loaded: LoadedFeed, environ: Mapping[str, str], now: datetime) -> Source:
    """Build the source of a feed. Raises ConfigError for a secret that is not there, or a library that is missing."""
    source = loaded.feed.source
    match source:
        case LocalFolder():
            from import_project.sources.local import LocalSource

            return LocalSource(source.path)
        case SftpServer():
            return _sftp(source, environ)
        case FtpServer():
            return _ftp(source, environ)
        case HttpPull():
            return _http(source, environ, now.astimezone(loaded.feed.files.pattern.zone))
        case S3Bucket() | GcsBucket() | AzureContainer():
            return _objects(source, environ, loaded.feed.files.folders.processing)


def _sftp(source: SftpServer, environ: Mapping[str, str]) -> Source:
    from import_project.sources.sftp import SftpSource
    from import_project.sources.sftp_login import SftpLogin

    login = SftpLogin(
        host=source.host,
        port=source.port,
        username=source.username,
        known_hosts=source.known_hosts,
        password=reveal(source.password, environ),
        private_key=reveal(source.key, environ),
        passphrase=reveal(source.passphrase, environ),
        connect_timeout=source.connect_timeout,
        login_timeout=source.login_timeout,
        step_timeout=source.step_timeout,
        legacy_ssh=source.legacy_ssh,
    )
    return SftpSource(login, source.path)


def _ftp(source: FtpServer, environ: Mapping[str, str]) -> Source:
    from import_project.sources.ftp import FtpSource
    from import_project.sources.ftp_login import FtpLogin

    login = FtpLogin(
        host=source.host,
        port=source.port or _FTP_PORTS[source.tls],
        username=source.username,
        password=source.password.reveal(environ),
        tls=source.tls,
        ca_file=source.ca_file,
        connect_timeout=source.connect_timeout,
        step_timeout=source.step_timeout,
    )
    return FtpSource(login, source.path)


def _http(source: HttpPull, environ: Mapping[str, str], today: datetime) -> Source:
    from import_project.sources.http_pull import HttpPlace, HttpPullSource

    days = [today - timedelta(days=back) for back in range(source.days_back + 1)]
    place = HttpPlace(
        urls=tuple(dict.fromkeys(rendered(url, day) for day in days for url in source.urls)),
        token=reveal(source.token, environ),
        username=source.username,
        password=reveal(source.password, environ),
        ca_file=source.ca_file,
        allow_hosts=source.allow_hosts,
        private_network=source.private_network,
        connect_timeout=source.connect_timeout,
        step_timeout=source.step_timeout,
    )
    return HttpPullSource(place)


def _objects(source: S3Bucket | GcsBucket | AzureContainer, environ: Mapping[str, str], folder: str) -> Source:
    from import_project.sources.object_login import ObjectPlace
    from import_project.sources.object_store import ObjectStoreSource

    shared = ObjectPlace(
        kind=source.kind,
        bucket=source.container if isinstance(source, AzureContainer) else source.bucket,
        prefix=source.prefix,
        endpoint=source.endpoint,
        connect_timeout=source.connect_timeout,
        step_timeout=source.step_timeout,
        copy_timeout=source.copy_timeout,
    )
    match source:
        case S3Bucket():
            place = replace(
                shared,
                region=source.region,
                access_key_id=source.access_key_id,
                secret_access_key=reveal(source.secret_access_key, environ),
                machine_login=source.machine_login,
            )
        case GcsBucket():
            key = reveal(source.service_account_key, environ)
            place = replace(shared, service_account_key=key, machine_login=source.machine_login)
        case AzureContainer():
            place = replace(
                shared,
                account=source.account,
                account_key=reveal(source.account_key, environ),
                sas=reveal(source.sas, environ),
            )
    return ObjectStoreSource(place, folder)


def reveal(secret: Secret | None, environ: Mapping[str, str]) -> str | None:
    """Read a secret that a feed may leave out."""
    return None if secret is None else secret.reveal(environ)
