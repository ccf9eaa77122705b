"""What happens to a file, told to the log and to the feed's hooks. A hook that fails is logged and changes nothing."""

import logging
from dataclasses import asdict

from import_project.config.load import LoadedFeed
from import_project.logs import LOG
from import_project.records.steps import FileEvent, Happening

_LEVELS = {Happening.FAILURE: logging.ERROR, Happening.RETRY: logging.WARNING}


def tell(loaded: LoadedFeed, event: FileEvent, interrupts: tuple[type[BaseException], ...]) -> None:
    """Log an event, then call the hook that the feed has for it. Whatever it raises but `interrupts` is only logged."""
    where = {"feed": event.feed, "file": event.file, "partition": event.partition, "run": event.run}
    counts = {k: v for k, v in asdict(event.outcome.counts).items() if v} if event.outcome is not None else {}
    fields = {**where, "step": event.step, "error": event.error, **counts}
    LOG.log(_LEVELS.get(event.what, logging.INFO), event.what.value, extra={"fields": fields})
    call = loaded.callbacks.hooks.get(event.what)
    if call is None:
        return
    try:
        call(event)
    except interrupts:
        raise
    except BaseException as error:  # noqa: BLE001 - the user's own Python may raise anything
        told = {**where, "hook": f"on_{event.what}", "error": f"{type(error).__name__}: {error}"}
        LOG.exception("hook failed", extra={"fields": told})


def tell_step(where: dict[str, str], step: str, seconds: float, error: str | None) -> None:
    """Log the end of an attempt at a step."""
    level = logging.INFO if error is None else logging.WARNING
    fields = {**where, "step": step, "seconds": round(seconds, 3), "error": error}
    LOG.log(level, "step", extra={"fields": fields})
