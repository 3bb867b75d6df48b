"""Who has the old signing key and can write the output makes verify accept nothing, once the key was renewed."""

import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipelines import expire, metrics, verify
from pipelines.recording.record import records
from pipelines.retention import deleting
from pipelines.running import input_run
from schemas.errors import InvalidOptions, KeyUnavailable, OutputInUse, StorageRefused, UnbalancedBooks
from tests.conftest import run_batch
from tests.support.changes import dry
from tests.support.killed_writes import Killed, killed_after
from tests.support.renewed import (
    FOREIGN,
    LAST,
    LINK,
    OLD,
    Renewed,
    add_record,
    append_manifest,
    cut_off,
    link_from,
    make_output,
    make_renewed,
    manifest_path,
    put_manifest,
    read_manifest,
    signer_of,
)
from tests.support.signed_outputs import alter_cell, first, make_signed_output, problems, verified
from transforms.core.chains.chain import Chain, put_file
from transforms.core.chains.renewal import RENEWAL
from transforms.core.chains.run_manifest import RunManifest, digest_of, signed
from transforms.core.keys.public_key import key_line, shown_key
from transforms.core.output.claim import claimed
from transforms.core.output.layout import CLAIM_FILE, PUBLIC_KEY_FILE, Output, claim_of

OF_OLD = shown_key(OLD.public_key)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Renewed:
    return make_renewed(tmp_path_factory.mktemp("renewed"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Renewed:
    """The output as it is when the old key leaks."""
    return make_output(tmp_path_factory.mktemp("before"))


@pytest.fixture
def made(whole: Renewed, tmp_path: Path) -> Renewed:
    return whole.copied(tmp_path / "made")


@pytest.fixture
def leaked(before: Renewed, tmp_path: Path) -> Renewed:
    return before.copied(tmp_path / "leaked")


def other_books(manifest: RunManifest) -> RunManifest:
    return msgspec.structs.replace(manifest, facts={"rows": 7})


def alter_and_sign(output: Path, number: int) -> None:
    """An altered file, and its manifest signed anew with the old key as if it had always been so."""
    path = first(output, "displays/received_date=2026-03-29/*.parquet")
    alter_cell(path)
    told = put_file(Output(str(output)), str(path.relative_to(output)))

    def with_it(manifest: RunManifest) -> RunManifest:
        files = [told if file.path == told.path else file for file in manifest.put]
        assert told in files
        return msgspec.structs.replace(manifest, put=files)

    put_manifest(output, number, OLD, with_it)


def write_history_anew(output: Path) -> None:
    """All of it up to the link, each manifest naming the one before: sound in itself."""
    alter_and_sign(output, 1)
    for number in range(2, LINK):
        above = digest_of(manifest_path(output, number - 1).read_bytes())
        put_manifest(output, number, OLD, lambda m, above=above: msgspec.structs.replace(m, before=above))


def roll_back_and_go_on(output: Path) -> None:
    """To before the link, and other manifests of the old key from there."""
    cut_off(output, LINK)
    alter_cell(path := first(output, "displays/received_date=2026-03-30/*.parquet"))
    append_manifest(output, OLD, put=[put_file(Output(str(output)), str(path.relative_to(output)))])


def link_to_another_key(output: Path) -> None:
    """The same link, signed with the old key and from there on with one of the attacker's."""
    cut_off(output, LINK)
    append_manifest(output, FOREIGN, kind=RENEWAL, facts=link_from(OLD.public_key))


def link_back_to_another_key(output: Path) -> None:
    """A link of the old key in the place of manifest 3, which would make verify believe the attacker's key below."""
    put_manifest(
        output, 3, OLD, lambda m: msgspec.structs.replace(m, kind=RENEWAL, facts=link_from(FOREIGN.public_key))
    )
    put_manifest(output, 2, FOREIGN, other_books)


def alter_record(output: Path) -> None:
    """A record that the link names, with another word in it and a signature that fits."""
    record = [*records(Output(str(output)))][-1]
    record.host = "elsewhere"
    record.save(Output(str(output)), OLD.sign)


def own_chain_of_old_key(output: Path) -> None:
    """A chain for a dataset that has none yet, whose files nobody published."""
    folder = output / "acceptance" / "received_date=2026-03-29"
    folder.mkdir(parents=True)
    shutil.copy(first(output, "displays/*/*.parquet"), folder / "acceptance.parquet")
    told = put_file(Output(str(output)), "acceptance/received_date=2026-03-29/acceptance.parquet")
    chain = msgspec.structs.replace(read_manifest(output, 1), chain="acceptance", kind="metrics", put=[told])
    path = manifest_path(output, 1, "acceptance")
    path.parent.mkdir(parents=True)
    path.write_bytes(signed(chain, OLD))


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "manifest of the old key after the link": (lambda o: append_manifest(o, OLD), rf"000000007.jsonl: signed with another key \({OF_OLD}\) than \w+: with the one that manifest 4 has retired"),
    "several of them": (lambda o: [append_manifest(o, OLD), append_manifest(o, OLD)], r"000000007.jsonl \(and manifests to 8\): signed with another key .* manifest 4 has retired"),
    "old key in the place of one after the link": (lambda o: put_manifest(o, LAST, OLD, other_books), r"000000006.jsonl: signed with another key .* that manifest 4 has retired"),
    "old key in the place of the link": (lambda o: put_manifest(o, LINK, OLD, lambda m: msgspec.structs.replace(m, kind="erase")), rf"000000001.jsonl \(and manifests to 4\): signed with another key \({OF_OLD}\)"),
    "removed link": (lambda o: manifest_path(o, LINK).unlink(), r"000000004.jsonl: it is missing, and later ones are there"),
    "the last manifest before the link signed anew": (lambda o: put_manifest(o, 3, OLD, other_books), rf"000000003.jsonl: it is another one than manifest 4 names: put there by who has the key {OF_OLD}, which was retired"),
    "an earlier manifest signed anew": (lambda o: put_manifest(o, 2, OLD, other_books), rf"000000002.jsonl: it is another one than manifest 3 names: put there by who has the key {OF_OLD}"),
    "an altered file and its manifest signed anew": (lambda o: alter_and_sign(o, 1), r"000000001.jsonl: it is another one than manifest 2 names"),
    "the whole history written anew": (write_history_anew, r"000000003.jsonl: it is another one than manifest 4 names"),
    "removed manifest before the link": (lambda o: manifest_path(o, 2).unlink(), r"000000002.jsonl: it is missing"),
    "rolled back to before the link": (lambda o: cut_off(o, LINK), r"000000001.jsonl \(and manifests to 3\): signed with another key .* rolled back to before"),
    "rolled back and gone on": (roll_back_and_go_on, r"000000001.jsonl \(and manifests to 4\): signed with another key .* rolled back to before"),
    "a link to the attacker's key": (link_to_another_key, r"000000001.jsonl \(and manifests to 3\): signed with another key"),
    "a link back to the attacker's key": (link_back_to_another_key, r"000000003.jsonl: it is another one than manifest 4 names"),
    "altered link": (lambda o: manifest_path(o, LINK).write_bytes(manifest_path(o, LINK).read_bytes().replace(b'"vouched_to":3', b'"vouched_to":2')), r"000000004.jsonl: its signature does not fit"),
    "chain of a dataset that had none": (own_chain_of_old_key, r"runs/manifests/acceptance/000000/000000001.jsonl: signed with another key .* rolled back to before"),
    "record of a run signed with the old key": (lambda o: add_record(o, OLD), r"runs/[0-9a-f-]{36}.json: altered, or no record of a run that signed"),
    "record of a run of before signed anew": (alter_record, r"runs/[0-9a-f-]{36}.json: altered, or no record of a run that signed"),
    "old public key put back": (lambda o: (o / PUBLIC_KEY_FILE).write_bytes(key_line(OLD.public_key)), r"_signing.pub: is not the public key"),
    "altered cell of before": (lambda o: alter_cell(first(o, "displays/received_date=2026-03-30/*.parquet")), r"displays/received_date=2026-03-30/.*: altered"),
}  # fmt: skip


def test_a_renewed_output_is_well_with_the_new_key_alone(made: Renewed, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    verified(made.output, made.new_key)
    told = capsys.readouterr()
    assert "chain output: 6 manifests" in told.out
    assert f"continued from manifest 4 on in place of the key {OF_OLD}, which was retired" in told.out
    assert "it had leaked" in told.out
    assert "may be of somebody" not in told.err  # the witness knew all of it
    assert "records" in read_manifest(made.output, LINK).facts
    verified(made.output, made.new_key, "--only_manifests")
    verified(made.output)


@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_each_tampering_with_the_old_key_is_found_and_named(
    made: Renewed, capsys: pytest.CaptureFixture[str], tampering: str
) -> None:
    change, line = TAMPERINGS[tampering]
    change(made.output)
    found = problems(made.output, capsys, made.new_key)
    assert any(re.search(line, told) for told in found), found
    assert all(len(told) < 400 for told in found)


def test_who_has_the_old_public_key_is_told_in_one_line(made: Renewed, capsys: pytest.CaptureFixture[str]) -> None:
    new = shown_key(signer_of(made.ring).public_key)
    for flag in (made.old_key, made.witness):
        (line,) = problems(made.output, capsys, flag)
        assert f"000000004.jsonl (and manifests to 6): signed with another key ({new}) than {OF_OLD}" in line
        assert "the chain was continued under another key" in line
    verified(made.output, made.new_key, made.witness)
    verified(made.output, made.witness)  # which remembers the new key now


def test_a_file_that_is_no_single_key_is_refused(made: Renewed, tmp_path: Path) -> None:
    (tmp_path / "two").write_bytes(key_line(OLD.public_key) + key_line(FOREIGN.public_key))
    with pytest.raises(KeyUnavailable, match="allowed is one line"):
        verified(made.output, f"--public_key={tmp_path / 'two'}")


def test_nothing_is_continued_after_a_leak_without_somebody_who_knows(leaked: Renewed) -> None:
    leaked.renew()
    with pytest.raises(KeyUnavailable, match=r"the key \w+, with which it is signed, was retired: .* pipelines.sign"):
        leaked.run("outcomes/pass/ghostText.accepted")
    with pytest.raises(InvalidOptions, match="its key has leaked"):
        leaked.sign()
    with pytest.raises(InvalidOptions, match="no such file"):
        leaked.sign(f"--witness={leaked.folder / 'none.json'}")
    assert not manifest_path(leaked.output, LINK).exists()


def test_of_a_key_that_leaked_only_what_was_known_is_believed(
    leaked: Renewed, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the attacker added before the key was renewed is told for good; what she wrote anew is refused."""
    append_manifest(leaked.output, OLD)
    leaked.renew()
    leaked.sign(leaked.witness)
    capsys.readouterr()
    verified(leaked.output, leaked.new_key)
    assert "manifests 4 to 4 may be of somebody who had the key" in capsys.readouterr().err


def test_a_history_that_was_written_anew_is_not_continued(leaked: Renewed, capsys: pytest.CaptureFixture[str]) -> None:
    write_history_anew(leaked.output)
    verified(leaked.output, leaked.old_key)  # sound in itself, before the key was renewed
    leaked.renew()
    with pytest.raises(UnbalancedBooks, match="no key vouches for it"):
        leaked.sign(leaked.witness)
    assert "is another one than was there before" in capsys.readouterr().out
    leaked.sign("--as_it_is")
    capsys.readouterr()
    verified(leaked.output, leaked.new_key)
    assert "manifests 1 to 3 may be of somebody who had the key" in capsys.readouterr().err
    assert problems(leaked.output, capsys, leaked.new_key, leaked.witness)


def test_a_manifest_that_was_noted_by_hand_stands_for_a_witness(
    leaked: Renewed, capsys: pytest.CaptureFixture[str]
) -> None:
    head = Chain(Output(str(leaked.output)), OLD)
    leaked.renew()
    with pytest.raises(UnbalancedBooks):
        leaked.sign(f"--expect=3:{'0' * 64}")
    leaked.sign(f"--expect={head}")
    capsys.readouterr()
    verified(leaked.output, leaked.new_key)
    assert "may be of somebody" not in capsys.readouterr().err


def test_a_manifest_of_the_old_key_behind_the_link_stops_every_run_and_is_not_signed(
    made: Renewed, capsys: pytest.CaptureFixture[str]
) -> None:
    append_manifest(made.output, OLD)
    with pytest.raises(KeyUnavailable, match="was retired"):
        made.run("outcomes/pass/ghostText.rejected")
    for known in ("--as_it_is", made.witness):
        with pytest.raises(UnbalancedBooks, match="no key vouches for it"):
            made.sign(known)
    assert problems(made.output, capsys, made.new_key)


def test_a_run_reads_nothing_of_a_history_that_was_written_anew(made: Renewed) -> None:
    """What the chain says of an input's files goes into the next manifest, so it is checked there, too."""
    write_history_anew(made.output)
    with pytest.raises(StorageRefused, match="it is another one than manifest 4 names"):
        [*Chain(Output(str(made.output)), signer_of(made.ring)).backwards()]


def test_an_output_is_continued_routinely_and_again(leaked: Renewed, capsys: pytest.CaptureFixture[str]) -> None:
    """Two renewals without a run between, then one with; each link leads to the one before."""
    leaked.renew("routine")
    leaked.renew("routine")
    leaked.sign()
    leaked.sign()  # again adds nothing
    assert not manifest_path(leaked.output, LINK + 2).exists()
    leaked.run("outcomes/pass/ghostText.accepted")
    leaked.renew("routine")
    leaked.sign()
    leaked.run("outcomes/pass/ghostText.rejected")
    capsys.readouterr()
    verified(leaked.output, leaked.new_key, leaked.witness)
    assert capsys.readouterr().out.count("continued from manifest") == 2
    put_manifest(leaked.output, 2, OLD, other_books)
    assert any(
        "000000002.jsonl: it is another one than" in line for line in problems(leaked.output, capsys, leaked.new_key)
    )


def test_a_link_of_another_output_leads_nowhere(
    made: Renewed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both outputs are of one ring, so both links are signed with the new key."""
    other = make_renewed(_folder(tmp_path / "else"))
    shutil.rmtree(other.ring)
    shutil.copytree(made.ring, other.ring)
    shutil.copy(manifest_path(other.output, LINK), manifest_path(made.output, LINK))
    assert problems(made.output, capsys, made.new_key)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def publish(made: Renewed) -> None:
    metrics.main([f"--datasets={made.output}", f"--key_ring={made.ring}", "--privacy_epsilon=20"])


def test_the_chain_of_what_was_published_goes_on_too(leaked: Renewed, capsys: pytest.CaptureFixture[str]) -> None:
    publish(leaked)
    verified(leaked.output, leaked.old_key, leaked.witness)
    leaked.renew()
    with pytest.raises(KeyUnavailable, match="was retired"):
        publish(leaked)
    leaked.sign(leaked.witness)
    capsys.readouterr()
    verified(leaked.output, leaked.new_key, leaked.witness)
    told = capsys.readouterr()
    assert "chain acceptance: continued from manifest 2 on" in told.out
    assert "may be of somebody" not in told.err
    manifest = read_manifest(leaked.output, 1, "acceptance")
    path = manifest_path(leaked.output, 1, "acceptance")
    path.write_bytes(signed(other_books(manifest), OLD))
    found = problems(leaked.output, capsys, leaked.new_key)
    assert any("acceptance/000000/000000001.jsonl: it is another one than manifest 2 names" in line for line in found)


def test_a_change_that_was_cut_off_is_finished_under_the_new_key(
    leaked: Renewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither waits for the other: the change needs the link, and the link does not need the change."""
    flags = [f"--datasets={leaked.output}", f"--key_ring={leaked.ring}", "--as_of=2026-09-01"]
    _, checksum = dry(expire.main, *flags)
    with monkeypatch.context() as patched:
        patched.setattr(deleting, "record_change", _killed)
        with pytest.raises(Killed):
            expire.main([*flags, f"--checksum={checksum}"])
    leaked.renew("routine")
    with pytest.raises(KeyUnavailable, match="was retired"):
        expire.main([*flags, f"--checksum={checksum}"])
    leaked.sign()
    expire.main([*flags, f"--checksum={checksum}"])
    assert not [*leaked.output.glob("snippets/*/*.parquet")]
    verified(leaked.output, leaked.new_key)


def _killed(*_: object) -> None:
    raise Killed


def test_a_run_that_is_under_way_ends_as_it_began(leaked: Renewed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is renewed between its rows and its manifest: that one is signed with the key of before, and linked."""
    signs = input_run.sign_input

    def renewed_first(*args: Any) -> object:
        leaked.renew("routine")
        return signs(*args)

    with monkeypatch.context() as patched:
        patched.setattr(input_run, "sign_input", renewed_first)
        leaked.run("outcomes/pass/ghostText.accepted")
    verified(leaked.output, leaked.old_key)
    with pytest.raises(KeyUnavailable, match="was retired"):
        leaked.run("outcomes/pass/ghostText.rejected")
    leaked.sign()
    leaked.run("outcomes/pass/ghostText.rejected")
    verified(leaked.output, leaked.new_key, leaked.witness)


def test_the_ring_of_before_is_refused_by_its_edition_once_the_output_is_continued(
    leaked: Renewed, tmp_path: Path
) -> None:
    old = shutil.copytree(leaked.ring, tmp_path / "old")
    leaked.renew("routine")
    leaked.sign()
    with pytest.raises(InvalidOptions, match=r"this is edition 1 of the key ring, and .* has seen edition 2"):
        run_batch(leaked.folder / "0.ndjson", leaked.output, f"--key_ring={old}")


def test_an_output_in_which_a_job_writes_is_not_continued(leaked: Renewed) -> None:
    leaked.renew("routine")
    for name in (CLAIM_FILE, claim_of("acceptance")):
        with claimed(Output(str(leaked.output)), name), pytest.raises(OutputInUse):
            leaked.sign()


def test_a_continuation_that_is_killed_at_any_write_is_finished_by_the_same_command(
    before: Renewed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = before.copied(tmp_path / "published")
    publish(made)
    made.renew("leaked")
    for writes in count():
        at = made.copied(tmp_path / f"{writes}")
        with killed_after(monkeypatch, writes, "write_atomic", "create_whole") as was_killed, suppress(Killed):
            at.sign("--as_it_is")
        at.sign("--as_it_is")
        verified(at.output, at.new_key)
        links = [read_manifest(at.output, LINK), read_manifest(at.output, 2, "acceptance")]
        assert [link.kind for link in links] == [RENEWAL, RENEWAL]
        if not was_killed():
            assert writes >= 4  # two links, what the output keeps, the public key
            return


def test_several_outputs_of_one_ring_are_each_continued(leaked: Renewed, tmp_path: Path) -> None:
    other = make_signed_output(_folder(tmp_path / "second"))
    leaked.renew("routine")
    leaked.sign()
    with pytest.raises(UnbalancedBooks):
        verify.main([f"--datasets={other}", leaked.new_key])
    Renewed(leaked.folder).sign(f"--datasets={other}")
    verified(other, leaked.new_key)
    verified(leaked.output, leaked.new_key)


def test_a_ring_that_never_had_the_key_continues_nothing(leaked: Renewed, tmp_path: Path) -> None:
    """A copy of the ring whose key was renewed for itself: two rings sign no output together."""
    copy = Renewed(leaked.folder).copied(tmp_path / "copy")
    for place in (leaked, copy):
        place.renew("routine")
    leaked.sign()
    with pytest.raises(StorageRefused, match="is signed with a key that this ring never had"):
        copy.sign(f"--datasets={leaked.output}")
    with pytest.raises(StorageRefused, match="signed with another key"):
        run_batch(copy.folder / "0.ndjson", leaked.output, f"--key_ring={copy.ring}")
