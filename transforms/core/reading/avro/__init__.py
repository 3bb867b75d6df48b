"""Avro containers, read by ourselves: no container can take more memory or time than its own bytes allow."""
