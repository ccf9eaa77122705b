"""The kinds of source a feed may name, as models, one for each protocol. How they are opened is `pipeline.wiring`'s."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from import_project.config.patterns import rendered
from import_project.config.values import ExistingFile, Folder, Port, Secret, Strict, Text, Url

Seconds = Annotated[float, Field(gt=0)]


class _Inbox(Strict):
    """What all sources share. On a read-only one nothing is moved: the ledger alone claims."""

    read_only: bool = False


class LocalFolder(_Inbox):
    """A folder of this machine. With `write_lease`, a file that a process here has open to write is not ready."""

    kind: Literal["local_fs"]
    path: Folder
    write_lease: bool = True


class SftpServer(_Inbox):
    """A folder of an SFTP server, whose key must stand in `known_hosts`. Log in by password or key; what can do
    no better than SHA-1 needs `legacy_ssh`. Times: seconds."""

    kind: Literal["sftp"]
    host: Text
    port: Port = 22
    username: Text
    password: Secret | None = None
    key: Secret | None = None
    passphrase: Secret | None = None
    known_hosts: ExistingFile
    legacy_ssh: bool = False
    path: Text = "."
    connect_timeout: Seconds = 15
    login_timeout: Seconds = 30
    step_timeout: Seconds = 60

    @model_validator(mode="after")
    def _a_way_in(self) -> Self:
        if (self.password is None) == (self.key is None):
            raise ValueError("give exactly one of password and key")
        return self


class FtpServer(_Inbox):
    """A folder of an FTP server. `tls: none` sends password and files in the open, and must be said."""

    kind: Literal["ftp"]
    host: Text
    port: Port | None = None
    username: Text
    password: Secret
    tls: Literal["explicit", "implicit", "none"] = "explicit"
    ca_file: ExistingFile | None = None
    path: Text = "."
    connect_timeout: Seconds = 15
    step_timeout: Seconds = 60


class _Bucket(_Inbox):
    """What all object stores share. `endpoint` is another address than the provider's own."""

    prefix: Text = ""
    endpoint: Url | None = None
    connect_timeout: Seconds = 15
    step_timeout: Seconds = 60
    copy_timeout: Seconds = 600


class S3Bucket(_Bucket):
    """A bucket, or a prefix in it, of S3 or a store that speaks it (`endpoint`) with its conditional writes."""

    kind: Literal["s3"]
    bucket: Text
    region: Text = "us-east-1"
    access_key_id: Text | None = None
    secret_access_key: Secret | None = None
    machine_login: bool = False

    @model_validator(mode="after")
    def _a_way_in(self) -> Self:
        keys = self.access_key_id is not None and self.secret_access_key is not None
        if keys == self.machine_login:
            raise ValueError("give access_key_id and secret_access_key, or say machine_login: true")
        return self


class GcsBucket(_Bucket):
    """A bucket, or a prefix in it, of Google Cloud Storage. `service_account_key` is the JSON key."""

    kind: Literal["gcs"]
    bucket: Text
    service_account_key: Secret | None = None
    machine_login: bool = False

    @model_validator(mode="after")
    def _a_way_in(self) -> Self:
        if (self.service_account_key is not None) == self.machine_login:
            raise ValueError("give service_account_key, or say machine_login: true")
        return self


class AzureContainer(_Bucket):
    """A container of Azure Blob Storage, or a prefix in it."""

    kind: Literal["azure_blob"]
    account: Text
    container: Text
    account_key: Secret | None = None
    sas: Secret | None = None

    @model_validator(mode="after")
    def _a_way_in(self) -> Self:
        if (self.account_key is None) == (self.sas is None):
            raise ValueError("give exactly one of account_key and sas")
        return self


class HttpPull(Strict):
    """Files at fixed addresses, which may hold a date: {YYYYMMDD} and so on, for today and `days_back` days before."""

    kind: Literal["http_pull"]
    urls: tuple[Url, ...] = Field(min_length=1)
    days_back: int = Field(default=3, ge=0, le=366)
    token: Secret | None = None
    username: Text | None = None
    password: Secret | None = None
    ca_file: ExistingFile | None = None
    allow_hosts: tuple[Text, ...] = ()
    private_network: bool = False
    connect_timeout: Seconds = 15
    step_timeout: Seconds = 60

    @property
    def read_only(self) -> bool:
        """Nothing can be moved at an address."""
        return True

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        for url in self.urls:
            rendered(url, datetime(2000, 1, 1))  # noqa: DTZ001 - only to see that it can be filled in
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password belong together")
        if self.token is not None and self.password is not None:
            raise ValueError("give a token, or username and password")
        return self


Source = Annotated[
    LocalFolder | SftpServer | FtpServer | S3Bucket | GcsBucket | AzureContainer | HttpPull,
    Field(discriminator="kind"),
]
