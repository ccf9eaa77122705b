"""The Dagster shell: assets, sensors, partitions, resources, jobs. Short bodies that call `pipeline`; no own rules.
Dagster is imported here and in `definitions` only."""
