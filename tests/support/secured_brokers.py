"""A Kafka broker that lets in only who has a password, over TLS, beside its plain listener for collectors."""

import ipaddress
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.brokers import Broker, kafka_broker
from tests.support.servers import free_port

USER, PASSWORD = "ingest", "canary-Kafka-password-7391"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that stands for itself: what a server holds, and what a client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "broker of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    plain, form = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    held, trusted = folder / "held.pem", folder / "trusted.pem"
    held.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, plain) + made)
    trusted.write_bytes(made)
    return held, trusted


def client_config(folder: Path, trusted: Path, password: str = PASSWORD) -> Path:
    """A file for `--kafka_config`."""
    config = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": password,
        "ssl.ca.location": str(trusted),
    }
    path = folder / "client.json"
    path.touch(0o600)
    path.write_text(json.dumps(config))
    return path


@contextmanager
def secured_broker(folder: Path) -> Iterator[tuple[Broker, str, Path]]:
    """The broker, the address that takes a password, and the certificate to trust."""
    folder.mkdir(parents=True)
    held, trusted = certificate(folder)
    port = free_port()
    settings = {
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_ssl.plain.sasl.jaas.config": f'{_LOGIN} required user_{USER}="{PASSWORD}";',
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(held),
    }
    with kafka_broker(folder / "node", {"SASL_SSL": port}, settings) as broker:
        yield broker, f"127.0.0.1:{port}", trusted
