"""Consent as it is now, of people who have withdrawn it: what their payloads may leave, by `payload_id`."""

from pipelines.people.people_file import Person, read_people
from pipelines.people.quarantined import find_payloads
from schemas.errors import InvalidOptions
from transforms.core.decoding.lowered import Consent
from transforms.core.keys.private_keys import PrivateKeys
from transforms.core.output.layout import Output


def consents_now(output: Output, path: str | None, keys: PrivateKeys) -> dict[str, Consent]:
    """What is permitted now of each payload that names one of the people in a file; empty without a file.

    Raises InvalidOptions where somebody is named and not what he permits.
    """
    if path is None:
        return {}
    people = read_people(path)
    consents = [_consent_of(path, number, person) for number, person in enumerate(people, 1)]
    found = find_payloads(output.listing(), people, keys)
    return {payload_id: consents[person] for payload_id, person in found.payload_ids.items()}


def _consent_of(path: str, number: int, person: Person) -> Consent:
    if person.telemetry_level is None and person.snippet_consent is None:
        raise InvalidOptions(
            f"--consents {path}: person {number} is named without telemetry_level and without snippet_consent: say "
            "what is permitted from now on"
        )
    return Consent(person.telemetry_level or "all", person.snippet_consent is not False)
