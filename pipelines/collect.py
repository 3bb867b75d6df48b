"""The collector: real clients send, and what they are told was taken is durable.

python -m pipelines.collect --listen 127.0.0.1:8080 --to incoming/ --ingestion_keys keys.toml
"""

import argparse
import asyncio
import ssl
import sys
from collections.abc import Sequence
from typing import Any

from pipelines.collector.addresses import AddressReader, networks
from pipelines.collector.bodies import Memory
from pipelines.collector.commits import GroupCommit
from pipelines.collector.figures import Figures
from pipelines.collector.ingestion_keys import load_keys
from pipelines.collector.intake import Intake, Policy
from pipelines.collector.rolling_folder import RollingFolder
from pipelines.collector.server import allow_connections, listening_socket, serve
from pipelines.collector.topic import Topic
from pipelines.options.flags import JobParser, duration, job_parser, whole_number
from pipelines.running.command import run_job
from schemas.errors import InvalidOptions
from transforms.core import storage
from transforms.core.reading.kafka.admin import load_config
from transforms.core.reading.open_log import kafka_parts

_MB = 1024 * 1024
_COMMIT_TIMEOUT_S = 10.0
"""Seconds after which a record that Kafka has not confirmed is answered 503. The clients wait 20 s."""


def _parser() -> JobParser:
    parser = job_parser(
        "collect",
        "Accept what telemetry clients send (applicationinsights and @vscode/extension-telemetry: /v2/track, "
        "/v2.1/track, /OneCollector/1.0), stamp it, and store it for pipelines.batch and pipelines.streaming. Nothing "
        "is acknowledged before it is durable. SIGTERM answers what is in flight, hands on what is stored and ends.",
    )
    add = parser.add_argument
    add("--to", required=True, metavar="FOLDER|URI",
        help="A local folder into which Avro files are rolled; or kafka://HOST:PORT[,HOST:PORT]/TOPIC.")  # fmt: skip
    add("--ingestion_keys", required=True, metavar="FILE",
        help="TOML or JSON: the keys that may send, and the telemetry level and snippet consent each stands for. An "
        "event with another key is refused and not stored.")  # fmt: skip
    add("--listen", default="127.0.0.1:8080", metavar="HOST:PORT", help="Default: 127.0.0.1:8080.")
    add("--tls_certificate", metavar="FILE", help="PEM file of a certificate: answer https. With --tls_key.")
    add("--tls_key", metavar="FILE", help="PEM file of its key.")
    add("--trusted_proxies", type=networks, default=(), metavar="NETWORKS",
        help="Addresses and networks of proxies of your own, as in 10.0.0.0/8,::1. A request of one of them is of the "
        "last address in its header that is none of them. Default: none; the peer's address counts.")  # fmt: skip
    add("--forwarded_header", choices=("x-forwarded-for", "forwarded"), default="x-forwarded-for",
        help="The header that these proxies write; the other is not read. Default: x-forwarded-for.")  # fmt: skip
    add("--kafka_config", metavar="FILE",
        help="JSON object of client settings by librdkafka's names: SASL, TLS, timeouts.")  # fmt: skip
    _add_bounds(parser)
    return parser


def _add_bounds(parser: JobParser) -> None:
    add = parser.add_argument
    add("--roll_interval", type=duration, default=duration("60s"), metavar="TIME",
        help="A file is handed on at this age, at the latest. Default: 60s.")  # fmt: skip
    add("--roll_mb", type=whole_number(1, 4096), default=64, metavar="MB", help="Or at this size. Default: 64.")
    add("--max_request_kb", type=whole_number(64, 16 * 1024), default=4096, metavar="KB",
        help="The longest body, as sent; a longer one is answered 413. Default: 4096; 1DS sends 3072.")  # fmt: skip
    add("--max_held_mb", type=whole_number(16, 65_536), default=256, metavar="MB",
        help="Bodies in memory at once; what comes beyond is answered 503. Default: 256.")  # fmt: skip
    add("--max_connections", type=whole_number(8, 100_000), default=4096, metavar="COUNT",
        help="Connections at once; what comes beyond is answered 503. Default: 4096.")  # fmt: skip
    add("--metrics_port", type=whole_number(1, 65535), metavar="PORT",
        help="Serve OpenMetrics on this port of 127.0.0.1.")  # fmt: skip


def _open_sink(args: argparse.Namespace) -> RollingFolder | Topic:
    try:
        parts = kafka_parts(args.to)
    except InvalidOptions:
        raise InvalidOptions(f"--to {args.to}: allowed is kafka://HOST:PORT[,HOST:PORT]/TOPIC") from None
    if parts is not None:
        config = load_config(args.kafka_config)
        return Topic(*parts, config, args.max_request_kb * 1024, _COMMIT_TIMEOUT_S)
    if args.kafka_config:
        raise InvalidOptions("--kafka_config goes with a kafka:// target")
    if not storage.is_local(args.to):
        raise InvalidOptions(f"--to {args.to}: allowed is a local folder or kafka://HOST:PORT[,HOST:PORT]/TOPIC")
    return RollingFolder(args.to, args.roll_mb * _MB, args.roll_interval.total_seconds())


def _tls(args: argparse.Namespace) -> dict[str, Any]:
    """The server's TLS settings; none for http. Raises InvalidOptions on files that do not do."""
    if (args.tls_certificate is None) != (args.tls_key is None):
        raise InvalidOptions("--tls_certificate and --tls_key go together")
    if args.tls_certificate is None:
        return {}
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(args.tls_certificate, args.tls_key)
    except OSError as cause:  # ssl.SSLError is one
        raise InvalidOptions(f"--tls_certificate, --tls_key: {cause.strerror or type(cause).__name__}") from None
    return {"ssl_certfile": args.tls_certificate, "ssl_keyfile": args.tls_key}


def main(argv: Sequence[str]) -> None:
    """The command; raises PipelineError before it listens."""
    args = _parser().parse_args(list(argv))
    if args.roll_interval.total_seconds() < 1:
        raise InvalidOptions("--roll_interval: allowed is 1s and more")
    policy = Policy(
        load_keys(args.ingestion_keys),
        AddressReader(args.trusted_proxies, args.forwarded_header),
        args.max_request_kb * 1024,
    )
    tls = _tls(args)
    memory = Memory(args.max_held_mb * _MB)
    figures = Figures(memory)
    sock = listening_socket(args.listen)
    try:
        if args.metrics_port is not None:
            figures.serve(args.metrics_port)
    except OSError as cause:
        raise InvalidOptions(f"--metrics_port {args.metrics_port}: {cause.strerror}") from None
    sink = _open_sink(args)
    if sink.recovered_records:
        print(
            f"{args.to}: {sink.recovered_records} requests of a process that was killed are handed on", file=sys.stderr
        )
    commits = GroupCommit(sink, figures, args.to)
    intake = Intake(policy, memory, commits, figures)
    asyncio.run(serve(intake, commits, sock, allow_connections(args.max_connections), tls))


if __name__ == "__main__":
    run_job(main)
