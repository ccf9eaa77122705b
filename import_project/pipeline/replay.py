"""The replay of a file's quarantined rows, from the decision to the new outcome. Each step is done under a claim."""

from typing import Any

from import_project.config.load import LoadedFeed
from import_project.errors import ConfigError
from import_project.pipeline.conclude import conclude
from import_project.pipeline.hold import Facts, Held, run_step
from import_project.pipeline.parts import Parts
from import_project.pipeline.post import post_rows
from import_project.pipeline.quarantine import Replay, replay_rows
from import_project.records.files import ArrivalState
from import_project.records.outcomes import Outcome


def replay(parts: Parts, loaded: LoadedFeed, outcome: Outcome, asked: Replay, *, owner: str) -> dict[str, Any]:
    """Replay rows of a file that is done, and post them. Cut off half way, it goes on when it is called again.

    Raises ConfigError for a file that was refused as a whole: of it nothing was posted, and nothing may be now.
    """
    if outcome.state != ArrivalState.DONE:
        raise ConfigError(
            f"{outcome.name} is {outcome.state}, not done", do="mend the feed and run its partition again"
        )

    async def decide(held: Held) -> Facts:
        return await replay_rows(held, asked)

    told: dict[str, Any] = {}
    for step in (decide, post_rows, conclude):
        facts = run_step(parts, loaded, outcome.partition, owner=owner, step=step)
        if step is not conclude:
            told |= {
                k: v
                for k, v in (facts or {}).items()
                if k in {"replayed", "still quarantined", "cells changed", "rejected"}
            }
    return told
