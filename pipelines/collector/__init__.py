"""The parts of `pipelines.collect`: from an HTTP request to a durable record, one idea in each module.

A request's way: `intake` -> `bodies` (bytes, bounded) -> `ingestion_keys` and
`sorting` (which events, under which stamp) -> `addresses` (whose) -> `commits`
(many requests, one write) -> `rolling_folder` or `topic` -> `answers`.
"""
