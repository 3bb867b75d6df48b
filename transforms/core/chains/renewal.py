"""How a chain goes on under another signing key, and how it is read back past that.

The first manifest under the new key is a link: it holds the digest of the last one under the old key, as each manifest
holds that of the one before it, and names the old key. So who has the new public key alone learns from a signature that
he trusts which key signed what is before, and has the digest of all of it: whoever has the old key can neither put
something else in its place nor go on after it.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from transforms.core.chains.run_manifest import RunManifest, Unsound, digest_of, read_signed
from transforms.core.keys.public_key import shown_key
from transforms.core.keys.retired import LEAKED, RetiredKey

RENEWAL = "renewal"
"""The kind of a link."""


def link_facts(retired: RetiredKey, vouched_to: int, records: Mapping[str, str]) -> dict[str, Any]:
    """What a link tells. `vouched_to` is the last manifest that somebody knew from elsewhere when the link was made, 0
    where nobody did; `records` are digests of records of runs by path, of those that a key of before has signed.
    """
    return {
        "retired_key": base64.b64encode(retired.public_key).decode(),
        "retired_at": retired.retired_at.isoformat(),
        "reason": retired.reason,
        "vouched_to": vouched_to,
        **({"records": dict(records)} if records else {}),
    }


class Link:
    """A link as it is read. Whoever made one had the new key, so its facts are as `link_facts` makes them."""

    def __init__(self, manifest: RunManifest) -> None:
        facts = manifest.facts
        self.chain, self.number = manifest.chain, manifest.number
        try:
            self.retired_key = base64.b64decode(facts["retired_key"], validate=True)
            self.retired_at = datetime.fromisoformat(facts["retired_at"])
            self.is_leaked = facts["reason"] == LEAKED
            self.vouched_to = int(facts["vouched_to"])
            self.records: dict[str, str] = dict(facts.get("records", {}))
        except (KeyError, TypeError, ValueError):
            raise Unsound("it is a link that tells no key of before") from None

    @property
    def told(self) -> str:
        """One line for people."""
        reason = ": it had leaked" if self.is_leaked else ""
        return (
            f"chain {self.chain}: continued from manifest {self.number} on in place of the key "
            f"{shown_key(self.retired_key)}, which was retired on {self.retired_at:%Y-%m-%d}{reason}"
        )


class Descent:
    """Goes from the last manifest of a chain to the first, and knows of each by which key it must be signed.

    `key` is that of the next one below; `links` are those that were passed.
    """

    def __init__(self, chain: str, public_key: bytes) -> None:
        self._chain = chain
        self.key = public_key
        self.links: list[Link] = []
        self._digest = ""
        self._above = 0
        self._output = ""

    def opened(self, number: int, data: bytes) -> RunManifest:
        """The manifest of this number; raises Unsound, and OtherKey where it bears another key.

        It must be the one that the sound manifest right above it names by its digest.
        """
        expected = self._digest if number + 1 == self._above else ""
        self._above, self._digest = number, ""
        manifest = read_signed(data, self.key)
        if (manifest.chain, manifest.number) != (self._chain, number):
            raise Unsound(f"it is manifest {manifest.number} of the chain {manifest.chain} and was put there")
        if expected and digest_of(data) != expected:
            raise Unsound(self._what_it_is(manifest))
        self.passed(manifest)
        return manifest

    def passed(self, manifest: RunManifest) -> None:
        """Goes on below a manifest that is sound."""
        if manifest.kind == RENEWAL:
            link = Link(manifest)
            self.key = link.retired_key
            self.links.append(link)
        self._above, self._digest, self._output = manifest.number, manifest.before, manifest.output

    def _what_it_is(self, manifest: RunManifest) -> str:
        """What is signed well and not what the manifest above names."""
        if manifest.output != self._output:
            return "it is of another output and was put there"
        told = f"it is another one than manifest {manifest.number + 1} names"
        if self.links:
            return f"{told}: put there by who has the key {shown_key(self.key)}, which was retired"
        return f"{told}: one of them is of another history"
