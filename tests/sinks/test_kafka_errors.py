"""The errors of librdkafka that KafkaSink knows by number."""

import pytest

from unisights.sinks import _kafka_producer

KafkaError = pytest.importorskip("confluent_kafka").KafkaError


def test_numbers_of_errors_are_those_of_the_client() -> None:
    """The numbers that the sink writes out are those of the client library."""
    assert KafkaError._FENCED == _kafka_producer.FENCED
    named = getattr(KafkaError, "PRODUCER_FENCED", _kafka_producer.PRODUCER_FENCED)
    assert named == _kafka_producer.PRODUCER_FENCED
