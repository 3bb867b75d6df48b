"""The manifests of docs/deploy: as the operator's and Kubernetes' own schemas want them, and of one mind."""

import copy
import re
import zipfile
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from apache_beam.options.pipeline_options import StandardOptions

from pipelines import batch, streaming
from pipelines.batch import BatchOptions
from pipelines.options.beam_options import parse_pipeline_options
from pipelines.runners import job_server
from pipelines.streams.flags import StreamingJobOptions
from schemas.errors import ExitCode, RunnerUnavailable
from tests.support.brokers import TOOLS

FOLDER = Path(__file__).parents[2] / "docs" / "deploy"
OPERATOR = TOOLS / "operator"
CRD = "META-INF/fabric8/flinkdeployments.flink.apache.org-v1.yml"
KUBERNETES = "1.31"
MANIFESTS = {path.stem: [*yaml.safe_load_all(path.read_text())] for path in sorted(FOLDER.glob("*.yaml"))}
(FLINK,) = MANIFESTS["flink-session"]
SERVER, SERVICE = MANIFESTS["job-server"]

needs_operator = pytest.mark.skipif(
    not OPERATOR.exists(), reason="the operator's schema is not there: make tools (needs Maven)"
)


def strict(schema: Any) -> Any:
    """As the API server sees it when it is asked to be strict: what no property names is refused."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: strict(part) for name, part in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    return made


def problems(deployment: dict[str, Any]) -> list[str]:
    """What the operator's published schema finds in a FlinkDeployment."""
    (jar,) = OPERATOR.glob("flink-kubernetes-operator-api-*.jar")
    with zipfile.ZipFile(jar) as archive:
        (version,) = yaml.safe_load(archive.read(CRD))["spec"]["versions"]
    assert deployment["apiVersion"] == f"flink.apache.org/{version['name']}"
    schema = strict(version["schema"]["openAPIV3Schema"])
    schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {}}
    found = jsonschema.Draft7Validator(schema).iter_errors(deployment)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in found]


@needs_operator
def test_the_flink_cluster_is_as_the_operator_wants_it() -> None:
    assert problems(FLINK) == []


@needs_operator
@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("spec", "taskManager", "replica"), 2),
        (("spec", "flinkVersion"), "v1_2"),
        (("spec", "taskManager", "podTemplate", "spec", "volumes", 0, "secret", "secretNme"), "x"),
        (("spec", "taskManager", "podTemplate", "spec", "containers", 1, "image"), 7),
    ],
)
def test_a_slip_in_it_is_found(place: tuple[Any, ...], value: Any) -> None:
    wrong: Any = copy.deepcopy(FLINK)
    part = wrong
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    assert len(problems(wrong)) == 1


@pytest.mark.parametrize("name", [name for name in MANIFESTS if name != "flink-session"])
def test_the_others_are_as_kubernetes_wants_them(name: str) -> None:
    for document in MANIFESTS[name]:
        kubernetes_validate.validate(document, KUBERNETES, strict=True)
        wrong = {**document, "spec": {**document["spec"], "replicaz": 1}}
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def pods() -> dict[str, dict[str, Any]]:
    """The pods' specs by the name of what makes them."""
    found = {FLINK["metadata"]["name"]: FLINK["spec"]["taskManager"]["podTemplate"]["spec"]}
    for documents in MANIFESTS.values():
        for document in documents:
            if "template" in document["spec"]:
                found[document["metadata"]["name"]] = document["spec"]["template"]["spec"]
    return found


def containers_of_ours() -> list[dict[str, Any]]:
    return [
        c for pod in pods().values() for c in pod["containers"] if c.get("image", "").startswith("registry.example/")
    ]


def args_of(job: str) -> list[str]:
    (container,) = (c for c in containers_of_ours() if c["args"][:2] == ["suggestion-telemetry", job])
    return list(container["args"][2:])


def flag(job: str, name: str) -> str:
    return next(a.partition("=")[2] for a in args_of(job) if a.startswith(f"--{name}="))


@pytest.mark.parametrize("job", ["batch", "streaming"])
def test_flags_of_the_jobs_are_taken(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that a job looks at before it asks for the cluster, which is not there, is well."""
    monkeypatch.setattr(job_server, "_ANSWERS_S", 0.2)
    kind, main = {"batch": (BatchOptions, batch.run), "streaming": (StreamingJobOptions, streaming.run)}[job]
    options = parse_pipeline_options(job, kind, ("input", "output", "key_ring"), args_of(job))
    assert options.view_as(StandardOptions).runner == "FlinkRunner"
    with pytest.raises(RunnerUnavailable, match="telemetry-"):
        main(args_of(job))


@pytest.mark.parametrize("job", ["batch", "streaming"])
def test_addresses_and_names_agree(job: str) -> None:
    (workers,) = (c for c in pods()["telemetry"]["containers"] if c["name"] == "workers")
    port = workers["readinessProbe"]["tcpSocket"]["port"]
    assert f"--service_port={port}" in workers["args"]
    assert flag(job, "environment_config") == f"localhost:{port}"
    rest = f"{FLINK['metadata']['name']}-rest:8081"  # as the operator names the service
    assert flag(job, "flink_rest") == f"http://{rest}"
    assert f"--flink-master={rest}" in SERVER["spec"]["template"]["spec"]["containers"][0]["args"]
    assert flag(job, "job_endpoint") == f"{SERVICE['metadata']['name']}:{SERVICE['spec']['ports'][0]['port']}"
    assert SERVICE["spec"]["selector"].items() <= SERVER["spec"]["template"]["metadata"]["labels"].items()


def test_ours_run_from_one_image_as_nobody_with_the_ring_where_the_flags_say() -> None:
    found = containers_of_ours()
    assert len(found) == 3
    assert len({container["image"] for container in found}) == 1
    for container in found:
        limits = container["securityContext"]
        assert limits["runAsNonRoot"]
        assert limits["readOnlyRootFilesystem"]
        assert not limits["allowPrivilegeEscalation"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert mounts["key-ring"]["readOnly"]
        assert mounts["key-ring"]["mountPath"] == flag("batch", "key_ring") == flag("streaming", "key_ring")
    rings = [v["secret"] for pod in pods().values() for v in pod.get("volumes", ()) if v["name"] == "key-ring"]
    assert rings == [{"secretName": "telemetry-key-ring", "defaultMode": 0o440}] * 3


def test_no_manifest_holds_a_secret() -> None:
    kinds = {document["kind"] for documents in MANIFESTS.values() for document in documents}
    assert "Secret" not in kinds
    assert not re.search(r"(?i)password|token|private", "".join(path.read_text() for path in FOLDER.glob("*.yaml")))


def test_a_window_has_time_to_end() -> None:
    (job,) = MANIFESTS["streaming-job"]
    options: Any = parse_pipeline_options("streaming", StreamingJobOptions, (), args_of("streaming"))
    assert (
        job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= 2 * options.publish_interval.total_seconds()
    )
    assert job["spec"]["strategy"] == {"type": "Recreate"}


def test_another_try_is_made_where_it_can_help() -> None:
    (job,) = MANIFESTS["batch-job"]
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    again = {ExitCode.DONE, ExitCode.TRY_AGAIN, ExitCode.INTERRUPTED}
    assert rule["action"] == "FailJob"
    assert set(rule["onExitCodes"]["values"]) == {*ExitCode} - again
