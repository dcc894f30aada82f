"""Output files: whatever the server calls them, says of them, or sends."""

import hashlib
import io
import zipfile

import httpx
import numpy as np
import pytest
from queue_double import (
    EXPERIMENT,
    FakeClock,
    QueueDouble,
    answer,
    backend_on,
    item,
    npz_of,
    streamed,
)

from backends import BackendError, JobFailed, ServiceError
from backends.ebrains.downloads import items, safe_name

NPZ = npz_of(EXPERIMENT)
NAME = f"recording-{EXPERIMENT.digest[:12]}-0a1b2c3d.npz"


@pytest.fixture
def double():
    return QueueDouble()


def run(double, tmp_path, clock=None, **options):
    job = backend_on(double, tmp_path / "runs", clock, **options).submit(EXPERIMENT)
    job.result()
    return job


def fetched(job):
    return {p.name: p.read_bytes() for p in (job.folder / "outputs").iterdir()}


@pytest.mark.parametrize(
    "path",
    [
        "../../../evil.npz",
        "/etc/evil.npz",
        "..\\..\\evil.npz",
        "%2e%2e%2fevil.npz",
        "C:\\evil.npz",
        "a/b/\0evil.npz",
        ".evil.npz",
        "~/evil.npz",
        "-evil.npz",
    ],
)
def test_no_path_leads_out_of_the_run_folder(path, double, tmp_path):
    double.items = [item(double.data + p, path=path) for p in double.files]
    job = run(double, tmp_path)
    assert list(fetched(job)) == ["evil.npz"]
    outside = [p for p in tmp_path.rglob("*evil*") if job.folder not in p.parents]
    assert outside == []


@pytest.mark.parametrize(
    ("path", "url", "name"),
    [
        (None, "https://h/a/spikes.pkl", "spikes.pkl"),
        ("y-collab/1/spikes.pkl", "https://h/x", "spikes.pkl"),
        ("", "https://elsewhere.org/a.txt", "a.txt"),
        ("..", "https://h/..", "output"),
        (None, "https://h/", "output"),
        (None, "https://[bad", "output"),
        (5, "https://h/b.png?x=1#y", "b.png"),
        (None, "https://h/" + "n" * 300 + ".npz", "n" * 116 + ".npz"),
        ("naïve name.txt", "", "na_ve_name.txt"),
    ],
)
def test_names(path, url, name):
    assert safe_name(path, url) == name


def test_two_of_one_name_are_both_kept(double, tmp_path):
    double.files |= {"/a/x.txt": b"one", "/b/x.txt": b"two", "/c/X.txt": b"three"}
    job = run(double, tmp_path)
    kept = fetched(job)
    del kept[NAME]
    assert kept == {"x.txt": b"one", "x-2.txt": b"two", "X-3.txt": b"three"}


def test_one_address_twice_is_one_file():
    files = [item("https://h/a"), item("https://h/a"), item("https://h/b/a")]
    assert [i.name for i in items({"output_data": {"files": files}}, {})] == ["a", "a-2"]


def test_names_stay_with_their_addresses_when_the_list_changes():
    known = {"https://h/b/a": {"name": "a"}}
    files = [item("https://h/a"), item("https://h/b/a")]
    found = items({"output_data": {"files": files}}, known)
    assert {i.url: i.name for i in found} == {"https://h/b/a": "a", "https://h/a": "a-2"}


@pytest.mark.parametrize("name", ["x.part", "x.PART", "x.npz.refused"])
def test_no_file_is_called_like_an_unfinished_one(name):
    (found,) = items({"output_data": {"files": [item(f"https://h/{name}")]}}, {})
    assert not found.name.lower().endswith((".part", ".refused"))


@pytest.mark.parametrize(
    "data", [None, [], "x", {"files": None}, {"files": "x"}, {"files": [None, 3, {"url": 5}, {}]}]
)
def test_nonsense_in_the_place_of_data_is_no_data(data):
    assert items({"output_data": data}, {}) == []


def test_size_and_hash_are_checked_where_they_are_given(double, tmp_path):
    for kind in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(kind, NPZ).hexdigest().upper()
        double.items = [item(f"{double.data}/out/{NAME}", size=len(NPZ), hash=digest)]
        run(double, tmp_path / kind)


def test_a_hash_of_an_unknown_kind_says_nothing(double, tmp_path):
    double.items = [item(f"{double.data}/out/{NAME}", hash="abc")]
    run(double, tmp_path)


@pytest.mark.parametrize(
    ("told", "words"), [({"size": 7}, "but the service says 7"), ({"hash": "0" * 40}, "its sha1")]
)
def test_what_is_not_as_it_was_said_is_refused_and_set_aside(told, words, double, tmp_path):
    double.items = [item(f"{double.data}/out/{NAME}", **told)]
    backend = backend_on(double, tmp_path)
    job = backend.submit(EXPERIMENT)
    with pytest.raises(ServiceError, match=words):
        job.result()
    assert fetched(job) == {f"{NAME}.refused": NPZ}
    double.items = None  # the service tells the truth now
    assert backend.job(job.run_id).result().digest == EXPERIMENT.digest
    assert double.posted == 1


def test_a_cut_connection_is_gone_on_with(double, tmp_path):
    cut = cut_after(1000)
    double.fault("GET", f"data:/out/{NAME}", cut)
    seen = []
    double.fault("GET", f"data:/out/{NAME}", watching(double, seen))
    job = run(double, tmp_path)
    assert seen == [("bytes=1000-", '"v1"')]
    assert fetched(job)[NAME] == NPZ


def test_a_server_without_range_begins_again(double, tmp_path):
    double.fault("GET", f"data:/out/{NAME}", cut_after(1000), lambda r: streamed(200, NPZ))
    assert fetched(run(double, tmp_path))[NAME] == NPZ


def test_another_part_than_asked_for_begins_again(double, tmp_path):
    wrong = {"content-range": f"bytes 5-{len(NPZ) - 1}/{len(NPZ)}"}
    double.fault("GET", f"data:/out/{NAME}", cut_after(1000), lambda r: streamed(206, NPZ, wrong))
    assert fetched(run(double, tmp_path))[NAME] == NPZ


def test_what_was_whole_already_is_only_checked(double, tmp_path):
    job = backend_on(double, tmp_path / "runs").submit(EXPERIMENT)
    (job.folder / "outputs").mkdir()
    (job.folder / "outputs" / f"{NAME}.part").write_bytes(NPZ)
    job.result()
    assert fetched(job)[NAME] == NPZ


def test_a_file_that_changed_meanwhile_begins_again(double, tmp_path):
    job = backend_on(double, tmp_path / "runs").submit(EXPERIMENT)
    (job.folder / "outputs").mkdir()
    (job.folder / "outputs" / f"{NAME}.part").write_bytes(NPZ + b"of another version")
    job.result()
    assert fetched(job)[NAME] == NPZ


def test_a_damaged_recording_is_kept_as_the_service_s_fault_and_fetched_anew(double, tmp_path):
    broken = NPZ[:500] + bytes([NPZ[500] ^ 255]) + NPZ[501:]
    double.fault("GET", f"data:/out/{NAME}", lambda r: streamed(200, broken[:-200]))
    backend = backend_on(double, tmp_path)
    job = backend.submit(EXPERIMENT)
    with pytest.raises(ServiceError, match="fetched again"):
        job.result()
    assert backend.job(job.run_id).result().digest == EXPERIMENT.digest


def test_a_file_that_is_gone_does_not_cost_the_recording(double, tmp_path):
    said = []
    double.items = [item(f"{double.data}/gone.png"), item(f"{double.data}/out/{NAME}")]
    job = run(double, tmp_path, said=said)
    assert list(fetched(job)) == [NAME]
    assert any("gone.png was not fetched" in text for text in said)


@pytest.mark.parametrize(
    "fault", [answer(500, "x"), answer(503, "x"), answer(429, "x"), httpx.ReadTimeout("slow")]
)
def test_data_that_come_at_the_second_time(fault, double, tmp_path):
    double.fault("GET", f"data:/out/{NAME}", fault)
    assert fetched(run(double, tmp_path))[NAME] == NPZ


def test_data_that_stay_away_keep_the_job(double, tmp_path):
    clock = FakeClock()
    double.fault("GET", f"data:/out/{NAME}", *[httpx.ConnectError("refused")] * 1000)
    backend = backend_on(double, tmp_path, clock)
    job = backend.submit(EXPERIMENT)
    with pytest.raises(BackendError, match="resume"):
        job.result()
    assert sum(clock.naps) < 400
    double.faults.clear()
    assert backend.job(job.run_id).result().digest == EXPERIMENT.digest


def test_the_size_of_all_files_together_is_bounded(double, tmp_path):
    double.files["/out/large.bin"] = bytes(10_000)
    double.files["/out/small.txt"] = b"small"
    job = run(double, tmp_path, max_download=len(NPZ) + 5_000)
    assert sorted(fetched(job)) == [NAME, "small.txt"]


def test_bytes_without_end_are_left(double, tmp_path):
    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                yield bytes(1 << 16)

    double.fault("GET", f"data:/out/{NAME}", lambda r: httpx.Response(200, stream=Endless()))
    job = backend_on(double, tmp_path, max_download=1_000_000).submit(EXPERIMENT)
    with pytest.raises(ServiceError, match="max_download"):
        job.result()
    assert fetched(job) == {}


def test_no_token_goes_to_the_data_and_no_other_scheme_is_followed(double, tmp_path):
    local = tmp_path / "secret.txt"
    local.write_text("secret")
    double.items = [
        item(f"{double.data}/out/{NAME}"),
        item(f"{double.base}/data/on/the/same/host"),
        item(local.as_uri()),
        item("ftp://h/x"),
    ]
    job = run(double, tmp_path)
    assert list(fetched(job)) == [NAME]
    assert double.leaks == []


def test_data_redirects_are_followed_but_not_away_from_https(double, tmp_path):
    there = f"{double.data}/out/{NAME}"
    double.files["/out/extra.txt"] = b"extra"
    double.fault("GET", "data:/moved", httpx.Response(302, headers={"location": there}))
    down = httpx.Response(302, headers={"location": "http://data.example/out/extra.txt"})
    double.fault("GET", "data:/down.txt", down)
    double.items = [item(f"{double.data}/moved"), item(f"{double.data}/down.txt")]
    job = run(double, tmp_path)
    assert fetched(job) == {"moved": NPZ}


def test_archives_are_not_unpacked_and_nothing_is_unpickled(double, tmp_path):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        out.writestr("../../escaped.txt", "x")
    double.files["/out/reports.zip"] = archive.getvalue()
    pickled = io.BytesIO()
    np.savez(pickled, header=np.array([Trap()], dtype=object))
    double.files["/out/trap.npz"] = pickled.getvalue()
    job = run(double, tmp_path)
    assert fetched(job)["reports.zip"] == archive.getvalue()
    assert list(tmp_path.rglob("escaped.txt")) == []
    assert Trap.sprung == []


def test_a_recording_that_unpacks_to_more_than_allowed_is_refused(double, tmp_path):
    bomb = io.BytesIO()
    np.savez_compressed(bomb, header=np.zeros(5_000_000, np.uint8))
    assert len(bomb.getvalue()) < 100_000
    double.files = {f"/out/{NAME}": bomb.getvalue()}
    with pytest.raises(JobFailed, match="unpacked"):
        run(double, tmp_path, max_download=1_000_000)


class Trap:
    """Says so when it is unpickled."""

    sprung: list = []  # noqa: RUF012

    def __reduce__(self):
        return (self.sprung.append, (1,))


def cut_after(n):
    class Cut(httpx.SyncByteStream):
        def __iter__(self):
            yield NPZ[:n]
            raise httpx.RemoteProtocolError("peer closed connection")

    return lambda request: httpx.Response(200, stream=Cut(), headers={"etag": '"v1"'})


def watching(double, seen):
    def serve(request):
        seen.append((request.headers.get("range"), request.headers.get("if-range")))
        return double._data(request)

    return serve
