"""YAML files to models; every mistake is one line with file, key and what was expected. Nothing is connected to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from import_project.config.apis import Api, field_problem
from import_project.config.feed import Feed
from import_project.config.python_objects import is_reference, load_object
from import_project.config.schemas import Schema
from import_project.config.yaml_models import load_model
from import_project.errors import ConfigError
from import_project.matching.decide import Rules
from import_project.matching.rules import RULES
from import_project.posting.templates import fields_of
from import_project.records.endpoints import Endpoint
from import_project.records.postings import PostingKind
from import_project.records.steps import Happening
from import_project.records.terms import Breaking, Terms, Waits
from import_project.validation.from_pandera import from_pandera
from import_project.validation.schema import RowSchema, condition_problem, empty_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """The Python that a feed names: how rows are changed before they are read, which are left out, what takes rows and
    payments, what is told of files."""

    transform: Any = None
    skip_if: Any = None
    on_row: Any = None
    on_matched: Any = None
    on_unmatched: Any = None
    parser: Any = None
    hooks: Mapping[Happening, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedFeed:
    """A feed with the API, the schema and the Python it names. One whose results Python takes may have no API."""

    feed: Feed
    api: Api | None
    schema: RowSchema | None
    path: Path
    callbacks: Callbacks = Callbacks()

    @property
    def name(self) -> str:
        """The feed's name."""
        return self.feed.feed

    @property
    def format_options(self) -> dict[str, Any]:
        """The options of the feed's format, for its module."""
        own = {"parser": self.callbacks.parser} if self.callbacks.parser is not None else {}
        return self.feed.format.options | own

    @property
    def target(self) -> str:
        """What postings are frozen for: the API's name, or what is called."""
        called = next((key.removeprefix("post.") for key, what in self.feed.post.calls.items() if what), None)
        return called or (self.api.api if self.api is not None else "")

    @property
    def terms(self) -> Terms:
        """On which terms is posted. Python that is called knows keys for ever; what it fails at is for the next run."""
        if self.api is None or any(self.feed.post.calls.values()):
            waits = Waits(first=5, longest=300)
            return Terms(
                api=f"{self.name}:{self.target}",
                key_window=None,
                rate=None,
                probe=timedelta(hours=1),
                settling=timedelta(0),
                waits=Waits(first=0.5, longest=30),
                breaking=Breaking(failures=5, waits=waits),
            )
        return self.api.terms

    @property
    def routes(self) -> Mapping[PostingKind, Endpoint]:
        """The endpoints of the API by what is posted to them; what Python takes has none."""
        kinds = {"rows": PostingKind.ROW, "matched": PostingKind.MATCHED, "unmatched": PostingKind.UNMATCHED}
        kinds |= {"credits": PostingKind.CREDIT}
        return {kinds[key]: one.endpoint for key, one in self.feed.post.endpoints.items()}

    @property
    def rules(self) -> Rules:
        """The feed's rules of matching, with their options. Raises ConfigError for a feed that matches nothing."""
        match = self.feed.match
        if match is None:
            raise ConfigError("the feed has no key match", feed=self.name)
        return Rules(
            chosen=tuple(RULES[r.name](**r.options) for r in match.rules),
            widths=match.references.widths,
            check_digits=frozenset(match.references.check_digits),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenFeed:
    """A feed file that cannot be used, and why."""

    path: Path
    error: ConfigError

    @property
    def name(self) -> str:
        """The feed's name as far as the file says it; else the file's own."""
        import yaml

        try:
            content = yaml.safe_load(self.path.read_text("utf-8"))
            found = content.get("feed") if isinstance(content, dict) else None
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            found = None
        return found if isinstance(found, str) and found else self.path.stem


def load_feeds(folder: Path, environ: Mapping[str, str]) -> tuple[list[LoadedFeed], list[BrokenFeed]]:
    """Read every `*.yaml` in `folder`, each by itself: a broken one does not disturb the others.

    Raises ConfigError when there is no such folder.
    """
    if not folder.is_dir():
        raise ConfigError(f"no feeds folder {folder}", do="set IMPORT_PROJECT_FEEDS")
    good: dict[str, LoadedFeed] = {}
    broken: list[BrokenFeed] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            loaded = load_feed(path, environ)
            if loaded.name in good:
                raise ConfigError(f"{path}: feed: {loaded.name} is taken by {good[loaded.name].path.name}")
            good[loaded.name] = loaded
        except ConfigError as error:
            broken.append(BrokenFeed(path=path, error=error))
        except Exception as error:  # noqa: BLE001 - whatever one file does to us, the others go on
            told = ConfigError(
                f"{path}: {type(error).__name__}: {error}", do="this is a defect of ours; please report it"
            )
            broken.append(BrokenFeed(path=path, error=told))
    broken += [
        BrokenFeed(path=path, error=ConfigError(f"{path}: a feed's file is named *.yaml", do="rename it"))
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in {".yml", ".yaml"} and path.suffix != ".yaml"
    ]
    return list(good.values()), broken


def stamp_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return what tells one state of a folder of feeds from another: each file's path, time and size."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return tuple((str(p), (found := p.stat()).st_mtime_ns, found.st_size) for p in files)


def load_feed(path: Path, environ: Mapping[str, str]) -> LoadedFeed:
    """Read one feed with its API and schema. Raises ConfigError."""
    feed = load_model(path, Feed, environ)
    api = None
    if feed.post.api is not None:
        api = load_model(_named(path, "apis", "post.api", feed.post.api), Api, environ)
        if api.api != feed.post.api:
            raise ConfigError(
                f"{path.parent / 'apis' / feed.post.api}.yaml: api: must be {feed.post.api}, as the file's name"
            )
    schema = _schema(path, feed, environ)
    _check_rows_endpoint(path, feed, schema)
    callbacks = _callbacks(path, feed, schema)
    return LoadedFeed(feed=feed, api=api, schema=schema, path=path, callbacks=callbacks)


def _schema(path: Path, feed: Feed, environ: Mapping[str, str]) -> RowSchema | None:
    name = feed.schema_name
    if name is None:
        return None
    if is_reference(name):
        try:
            return from_pandera(load_object(name, path.parent, f"{path}: schema"), name)
        except ConfigError as error:
            raise ConfigError(error.what if str(path) in error.what else f"{path}: {error.what}", do=error.do) from None
    return load_model(_named(path, "schemas", "schema", name), Schema, environ).row_schema()


def _check_rows_endpoint(path: Path, feed: Feed, schema: RowSchema | None) -> None:
    """Raise ConfigError when `post.rows` names columns that the schema has not, or lets be empty in a path."""
    rows = feed.post.rows
    if rows is None or schema is None:
        return
    columns = {c.name: c for c in schema.columns}
    if problem := field_problem(rows, columns):
        raise ConfigError(f"{path}: post.rows: {problem}")
    needed = {"path": fields_of(rows.path)}
    if rows.look_up is not None and rows.body is None:
        needed["look_up"] = fields_of(rows.look_up.path) - {"key"}
    for what, names in needed.items():
        for name in sorted(names):
            if not columns[name].required:
                told = f"{path}: post.rows: the {what} needs {name}, which the schema lets be empty"
                raise ConfigError(told, do="require it")


def _callbacks(path: Path, feed: Feed, schema: RowSchema | None) -> Callbacks:
    """Load what the feed names. Raises ConfigError for what cannot be called, or a condition that cannot be used."""
    parser = getattr(feed.format, "parser", None)
    asked = {"transform": feed.transform, **feed.post.calls, **feed.hooks.calls, "format.parser": parser}
    if feed.skip_if is not None and is_reference(feed.skip_if):
        asked["skip_if"] = feed.skip_if
    found = {
        key: load_object(reference, path.parent, f"{path}: {key}")
        for key, reference in asked.items()
        if reference is not None
    }
    if isinstance(found.get("format.parser"), type):
        try:
            found["format.parser"] = found["format.parser"]()
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            raise ConfigError(f"{path}: format.parser: {parser} cannot be made: {told}") from error
    for key, what in found.items():
        usable = callable(getattr(what, "parse", None)) if key == "format.parser" else callable(what)
        if not usable:
            wanted = "has no parse(content)" if key == "format.parser" else "cannot be called"
            raise ConfigError(f"{path}: {key}: {asked[key]} {wanted}")
    if feed.skip_if is not None and "skip_if" not in found and schema is not None:
        problem = condition_problem(feed.skip_if, empty_rows(schema.columns))
        if problem is not None:
            raise ConfigError(f"{path}: skip_if: {problem}")
    return Callbacks(
        transform=found.get("transform"),
        skip_if=found.get("skip_if"),
        on_row=found.get("post.on_row"),
        on_matched=found.get("post.on_matched"),
        on_unmatched=found.get("post.on_unmatched"),
        parser=found.get("format.parser"),
        hooks={what: found[key] for what in Happening if (key := f"hooks.on_{what}") in found},
    )


def _named(feed: Path, folder: str, key: str, name: str) -> Path:
    path = feed.parent / folder / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"{feed}: {key}: no such file: {path}")
    return path
