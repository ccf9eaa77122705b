"""The exception tree. Each error is one line for a person: what, where, and what to do; `retry` says whether trying
again later can help. No error is raised here, and nothing here knows how errors are shown.

ImportProjectError
├── ConfigError             a feed, schema, API or setting is wrong
├── SourceError             the sender's side
│   ├── SourceUnreachable   no connection, or it broke (retry)
│   ├── LoginRefused        password or key not accepted (retry)
│   │   └── LoginSpared     refused so lately that it is not tried yet (retry)
│   ├── HostKeyRefused      the server is not the one we know (retry)
│   ├── SourceDenied        the server forbids a step, such as a rename (retry)
│   ├── FileVanished        listed, then gone (retry)
│   ├── FileChanged         size or mtime moved while it was read (retry)
│   ├── InvoicesUnusable    the list of open invoices is missing, or holds what is no invoice (retry)
│   └── InvoicesStale       the list of open invoices is too old to match with
├── StoreError              our own side
│   ├── StoreFull           no space, no rights or no answer from a disk (retry)
│   ├── StoreDamaged        stored bytes are missing or not what their name says
│   ├── LedgerUnavailable   the database does not answer (retry)
│   ├── InstanceUnavailable Dagster's own storage does not answer, or has no space (retry)
│   ├── ClaimLost           another run holds the file (retry)
│   └── DecidedMeanwhile    another run has matched with the same invoices (retry)
├── FileRefused             the content cannot be used; the file goes to `.failed/`
│   ├── NotRecognised       the content fits none of the formats, or two
│   ├── ComesAgain          the feed does not want its like again: a known name with other bytes, or known bytes
│   ├── NotAllowed          readable, but the feed's rules forbid it: caps, names, kinds of member
│   ├── Unreadable          the format fits but the content breaks it
│   ├── TooManyQuarantined  more rows are set aside than the schema lets pass
│   ├── FileCancelled       who handed it in took it back
│   └── NotBookable         readable, but a control total is wrong
├── PostingError            the receiving API
│   ├── ApiUnavailable      no answer, 408, 425, 429 or 5xx (retry)
│   ├── ApiRefusesUs        401 or 403: the token or its rights (retry)
│   ├── ApiAnswerUnusable   an answer that breaks the agreement
│   ├── ApiKeyReused        it says that a key of ours came with another body
│   └── RowRejected         raised by `on_row`: this row must not be taken
├── DeskRefused             what the front desk does not take, or does not show
│   ├── NotKnown            no token, or one that does not hold
│   ├── NotYours            the token's role does not allow it
│   ├── NoSuchThing         no such feed, job or payment in the caller's workspace
│   ├── BadForm             no file, an empty one, or a form that cannot be read
│   ├── WrongKind           a file of a kind that the feed does not take
│   ├── TooLarge            more bytes than the workspace may hand in
│   ├── TooLate             it has ended, or something of it is decided
│   ├── KeyTaken            the caller's key came with another file before
│   └── TooMany             more files than the workspace may hand in at once (retry)
├── NotDelivered            an alert, or the end of a job, did not reach its receiver (retry)
└── NotConserved            rows or money in are not rows or money out: a defect of ours
"""

from typing import ClassVar


def one_line(text: str) -> str:
    """Return `text` with every control character, line break included, turned into a blank."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


class ImportProjectError(Exception):
    """What went wrong, where (feed, file, row), and what to do about it."""

    retry: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        feed: str | None = None,
        file: str | None = None,
        row: int | None = None,
        do: str | None = None,
    ) -> None:
        self.what = one_line(what)
        self.feed, self.file, self.row, self.do = feed, file, row, do
        super().__init__(self.line)

    @property
    def line(self) -> str:
        """The whole error as one line."""
        places = [f"feed {self.feed}" if self.feed else "", self.file or "", f"row {self.row}" if self.row else ""]
        where = ", ".join(one_line(p) for p in places if p)
        return (f"{where}: " if where else "") + self.what + (f" ({one_line(self.do)})" if self.do else "")

    def at(self, *, feed: str | None = None, file: str | None = None) -> "ImportProjectError":
        """Fill in the place where it is not yet known, and return the same error."""
        self.feed, self.file = self.feed or feed, self.file or file
        self.args = (self.line,)
        return self


class ConfigError(ImportProjectError):
    """A feed, schema, API or setting is wrong."""


class SourceError(ImportProjectError):
    """The sender's side failed."""

    retry = True


class SourceUnreachable(SourceError):
    """No connection to the source, or it broke on the way."""


class LoginRefused(SourceError):
    """The source did not accept the password or key."""


class LoginSpared(LoginRefused):
    """The login was refused so lately that it is not tried yet."""


class HostKeyRefused(SourceError):
    """The server's host key is unknown or has changed."""


class SourceDenied(SourceError):
    """The server forbids a step, such as a listing or a rename."""


class FileVanished(SourceError):
    """A listed file is gone."""


class FileChanged(SourceError):
    """Size or mtime moved while the file was read."""


class InvoicesUnusable(SourceError):
    """The list of open invoices is missing, or an item of it is no invoice."""


class InvoicesStale(SourceError):
    """The list of open invoices is older than the feed allows."""

    retry = False


class StoreError(ImportProjectError):
    """Our own storage failed."""


class StoreFull(StoreError):
    """A disk has no space, gives no rights or does not answer."""

    retry = True


class StoreDamaged(StoreError):
    """Stored bytes are missing, or are not what their name says."""


class LedgerUnavailable(StoreError):
    """The ledger's database does not answer."""

    retry = True


class InstanceUnavailable(StoreError):
    """Dagster's own storage does not answer, or has no space."""

    retry = True


class ClaimLost(StoreError):
    """Another run holds the file."""

    retry = True


class DecidedMeanwhile(StoreError):
    """Another run has matched payments since the invoices were looked at."""

    retry = True


class FileRefused(ImportProjectError):
    """The content cannot be used; trying again changes nothing."""


class NotRecognised(FileRefused):
    """The content fits none of the formats, or more than one."""


class ComesAgain(FileRefused):
    """The feed refuses a file that is known in part: its name with other bytes, or its bytes under another name."""


class NotAllowed(FileRefused):
    """The file can be read, but the feed's rules forbid it: caps, names, kinds of member."""


class Unreadable(FileRefused):
    """The format fits, but the content breaks it."""


class TooManyQuarantined(FileRefused):
    """More rows of the file are set aside than its schema lets pass; nothing of it is posted."""

    def __init__(self, what: str, *, rows: int, quarantined: int) -> None:
        self.rows, self.quarantined = rows, quarantined
        super().__init__(what, do="have it sent again; or raise most_quarantined, and run it again")


class FileCancelled(FileRefused):
    """Who handed the file in took it back before anything was decided of it."""


class NotBookable(FileRefused):
    """The file can be read, but its control totals are wrong."""


class PostingError(ImportProjectError):
    """The receiving API did not take what was sent."""


class ApiUnavailable(PostingError):
    """The API gave no answer, or one that says try later, and may say when (`retry_after`, as that header). What has
    not `left` certainly never came there."""

    retry = True

    def __init__(self, what: str, *, do: str | None = None, retry_after: str | None = None, left: bool = True) -> None:
        self.retry_after, self.left = retry_after, left
        super().__init__(what, do=do)


class ApiRefusesUs(PostingError):
    """The API does not accept our token, or our rights do not reach."""

    retry = True


class ApiAnswerUnusable(PostingError):
    """The API's answer breaks the agreement."""


class ApiKeyReused(PostingError):
    """The API says that one of our keys has come with another body, which ours never do."""


class RowRejected(PostingError):
    """Raised by Python of the user's own (`on_row`): this row must not be taken, and trying again changes nothing."""


class DeskRefused(ImportProjectError):
    """What the front desk does not take, or does not show to this caller."""


class NotKnown(DeskRefused):
    """No token came, or one that does not hold."""


class NotYours(DeskRefused):
    """The token's role does not allow it."""


class NoSuchThing(DeskRefused):
    """The caller's workspace has no such feed, job, payment or posting."""


class BadForm(DeskRefused):
    """The form cannot be read, or holds no file, or an empty one."""


class WrongKind(DeskRefused):
    """The feed does not take files of this kind."""


class TooLarge(DeskRefused):
    """The file has more bytes than the workspace may hand in."""


class TooLate(DeskRefused):
    """The job has ended, or something of its file is decided already."""


class KeyTaken(DeskRefused):
    """The caller's own key came with another file before: this one is not taken, lest it be taken for that."""


class TooMany(DeskRefused):
    """The workspace has handed in too many files; try again in so many `seconds`."""

    retry = True

    def __init__(self, what: str, *, do: str, seconds: int) -> None:
        self.seconds = seconds
        super().__init__(what, do=do)


class NotDelivered(ImportProjectError):
    """An alert did not reach its receiver."""

    retry = True


class NotConserved(ImportProjectError):
    """Rows or money in are not rows or money out."""
