"""Kafka topics; nothing else in core knows confluent_kafka."""
