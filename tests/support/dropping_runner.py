"""A runner that drops what DoFns give out in `finish_bundle`, as Beam's DaskRunner does (2.77)."""

from typing import Any

import apache_beam as beam
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor
from apache_beam.runners.portability.fn_api_runner import FnApiRunner


class _Deaf(beam.DoFn):
    """A DoFn as such a runner runs it."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def setup(self) -> None:
        self._inner.setup()

    def start_bundle(self) -> None:
        self._inner.start_bundle()

    def process(self, element: Any, timestamp: Any = beam.DoFn.TimestampParam) -> Any:
        if self._inner.process.__func__.__defaults__:
            return self._inner.process(element, timestamp=timestamp)
        return self._inner.process(element)

    def finish_bundle(self) -> None:
        list(self._inner.finish_bundle() or ())


class _Replacing(PipelineVisitor):
    def visit_transform(self, node: AppliedPTransform) -> None:
        step = node.transform
        if isinstance(step, beam.ParDo) and type(step.fn).finish_bundle is not beam.DoFn.finish_bundle:
            step.fn = _Deaf(step.fn)


class DroppingRunner(FnApiRunner):
    """FnApiRunner, deaf at the end of a bundle."""

    def run_pipeline(self, pipeline: beam.Pipeline, options: Any) -> Any:
        pipeline.visit(_Replacing())
        return super().run_pipeline(pipeline, options)
