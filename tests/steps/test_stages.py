"""What is not sealed never leaves its stage, whoever asks."""

import pickle

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

import transforms.steps  # noqa: F401 - registers the coder
from transforms.core.batches import EventBatch
from transforms.core.blocks import Block
from transforms.core.curating.curate import CuratedBucket
from transforms.core.shuffle.windows import Portion

CLEAR = (
    Block(lines=[b"x"]),
    EventBatch("displays", pa.record_batch({"a": [1]})),
    CuratedBucket(Portion("x", 0)),
)


def make(index: int) -> object:
    return CLEAR[index]


@pytest.mark.parametrize("element", CLEAR, ids=lambda e: type(e).__name__)
def test_clear_elements_refuse_to_be_pickled_or_encoded(element: object) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(element)
    with pytest.raises(TypeError, match="must not leave the stage"):
        beam.coders.registry.get_coder(type(element)).encode(element)


@pytest.mark.parametrize("element", CLEAR, ids=lambda e: type(e).__name__)
def test_a_runner_that_would_shuffle_one_fails(element: object) -> None:
    index = CLEAR.index(element)
    with (
        pytest.raises(Exception, match="must not leave the stage"),
        beam.Pipeline("FnApiRunner", PipelineOptions([])) as pipeline,
    ):
        made = pipeline | beam.Create([index]) | beam.Map(make).with_output_types(type(element))
        _ = made | beam.Reshuffle() | beam.Map(type)
