"""One job for each feed: a file's whole way. All its steps run in the run's own process: a process for each step costs
five times the CPU of the work."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from import_project.config.load import LoadedFeed
from import_project.defs.limits import run_tags


def feed_job(loaded: LoadedFeed) -> UnresolvedAssetJobDefinition:
    """Return the job that its sensor launches, and that a person may launch for any partition."""
    return dg.define_asset_job(
        name=f"{loaded.name}_job",
        selection=dg.AssetSelection.groups(loaded.name),
        executor_def=dg.in_process_executor,
        description=loaded.feed.description or None,
        tags=run_tags(loaded),
    )


def deadline_job(loaded: LoadedFeed) -> dg.JobDefinition:
    """Return the job whose run fails when an expected file has not come in time, for a feed that wants it so."""

    @dg.op(
        name=f"{loaded.name}_deadline",
        config_schema={"missed": dg.Field(str, description="what was missed, in one line")},
        description="Fails: an expected file has not come in time",
    )
    def deadline(context: dg.OpExecutionContext) -> None:
        raise dg.Failure(description=context.op_config["missed"], allow_retries=False)

    @dg.job(
        name=f"{loaded.name}_deadline_job",
        executor_def=dg.in_process_executor,
        description=f"Fails when a file that {loaded.name} expects has not come in time",
        tags={"feed": loaded.name},
    )
    def missed() -> None:
        deadline()

    return missed
