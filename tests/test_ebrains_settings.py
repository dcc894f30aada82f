"""Settings and tokens: where they come from, in which order, and that a token shows nowhere."""

import base64
import json
import logging
import pickle
import stat
import sys
import traceback
import types

import httpx
import pytest
from queue_double import EXPERIMENT, TOKEN, FakeClock, QueueDouble, answer, backend_on

from backends import BackendError
from backends.ebrains import (
    Secret,
    Settings,
    SettingsError,
    TokenNeeded,
    TokenSource,
    fixed,
    tokens,
)
from backends.ebrains import settings as module

NO_FILE = {"HOME": "/nonexistent"}


def jwt(name="alice", exp=None, mark="x"):
    claims = {"preferred_username": name, "mark": mark}
    if exp is not None:
        claims["exp"] = exp
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{body}.c2lnbmF0dXJl"


# --- settings


def test_the_defaults_reach_the_public_service():
    settings = module.load(environment=NO_FILE)
    assert settings == Settings()
    assert settings.base_url == "https://nmpi-v3.hbpneuromorphic.eu"
    assert settings.collab is None
    assert (settings.poll_first, settings.poll_last) == (2, 60)


def test_options_win_over_the_environment_and_that_over_the_file(tmp_path):
    file = tmp_path / "ebrains.toml"
    file.write_text(
        'collab = "of-the-file"\ntags = ["f1", "f2"]\npoll_last = 30\n'
        '[hardware_config]\ntimeout = 2\n[platforms]\nbss = "BrainScaleS-2"\n'
    )
    environment = {
        **NO_FILE,
        "PYNN_EBRAINS_SETTINGS": str(file),
        "EBRAINS_COLLAB": "of-the-environment",
        "EBRAINS_TAGS": "e1, e2",
        "EBRAINS_MAX_DOWNLOAD": "1000",
        "EBRAINS_TOKEN_COMMAND": "pass show 'my token'",
    }
    found = module.load(options={"collab": "of-the-option"}, environment=environment)
    assert found.collab == "of-the-option"
    assert found.tags == ("e1", "e2")
    assert found.poll_last == 30
    assert found.max_download == 1000
    assert found.token_command == ("pass", "show", "my token")
    assert found.hardware_config == {"timeout": 2}
    assert found.platforms == {"bss": "BrainScaleS-2"}
    assert module.load(environment=environment).collab == "of-the-environment"


def test_the_usual_file_is_read_if_it_is_there(tmp_path):
    path = tmp_path / ".config" / "pynn-experiment" / "ebrains.toml"
    path.parent.mkdir(parents=True)
    path.write_text('collab = "mine"\n')
    assert module.load(environment={"HOME": str(tmp_path)}).collab == "mine"


def test_every_problem_is_told_at_once(tmp_path):
    file = tmp_path / "s.toml"
    file.write_text('colab = "x"\npoll_last = "long"\nEBRAINS_TOKEN = "abc-very-secret"\n')
    with pytest.raises(SettingsError) as caught:
        module.load(file, environment={**NO_FILE, "EBRAINS_MAX_DOWNLOAD": "4 GB"})
    text = str(caught.value)
    for words in (
        "colab: no such setting; did you mean collab?",
        "poll_last: must be a number",
        "use token_command",
        "EBRAINS_MAX_DOWNLOAD: must be a whole number",
    ):
        assert words in text
    assert "abc-very-secret" not in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": "http://nmpi-v3.hbpneuromorphic.eu"}, "https only"),
        ({"base_url": "https://alice:secret@h"}, "user name or a password"),
        ({"base_url": "nmpi-v3.hbpneuromorphic.eu"}, "https://"),
        ({"base_url": "https://h/?x=1"}, "end with the path"),
        ({"hardware_config": {"timeout": 0.5}}, "whole hours"),
        ({"hardware_config": {"timeout": True}}, "whole hours"),
        ({"hardware_config": {"extra_pip_installs": "elephant"}}, "list of texts"),
        ({"tags": ("a",)}, "2 to 100"),
        ({"poll_first": 0.0}, "greater than 0"),
        ({"poll_last": 1.0}, "less than poll_first"),
        ({"settle": -1.0}, "negative"),
    ],
)
def test_what_cannot_work_is_refused(changes, words):
    with pytest.raises(SettingsError, match=words):
        Settings(**changes)


@pytest.mark.parametrize("host", ["127.0.0.1:8900", "localhost:1", "[::1]:5", "127.9.9.9"])
def test_plain_http_is_for_this_machine(host):
    assert Settings(base_url=f"http://{host}").base_url == f"http://{host}"


def test_a_file_that_is_named_must_be_there(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        module.load(tmp_path / "none.toml", environment=NO_FILE)


# --- where a token comes from


def chain(*values, clock=None):
    return TokenSource([(f"s{k}", lambda v=v: v) for k, v in enumerate(values)], clock)


def test_the_first_source_that_has_one_wins():
    assert chain(None, "", "  ", "one\n", "two").get().reveal() == "one"


def test_the_order_of_the_usual_sources(monkeypatch):
    monkeypatch.setenv("EBRAINS_AUTH_TOKEN", "of-the-environment")
    lab = types.ModuleType("clb_oauth")
    lab.get_token = lambda: "of-the-lab"
    monkeypatch.setitem(sys.modules, "clb_oauth", lab)
    monkeypatch.setattr(tokens, "from_terminal", lambda: "of-the-terminal")
    source = tokens.standard(["printf", "of-the-command"])
    order = []
    for _ in range(4):
        token = source.get()
        order.append(token.reveal().removeprefix("of-the-"))
        source.refused(token)
    assert order == ["environment", "lab", "command", "terminal"]
    with pytest.raises(TokenNeeded):
        source.get()


def test_an_expired_token_is_passed_over():
    clock = FakeClock()
    old, new = jwt(exp=clock.now - 1), jwt(exp=clock.now + 3600)
    source = chain(old, new, clock=clock)
    assert source.get().reveal() == new
    clock.now += 3590
    assert source.get().reveal() in (old, new)


def test_an_expired_token_is_tried_if_there_is_no_other_as_our_clock_may_be_wrong():
    clock = FakeClock()
    assert chain(jwt(exp=clock.now - 1), clock=clock).get().username == "alice"


def test_a_token_is_renewed_before_it_ends():
    clock = FakeClock()
    given = iter([jwt(exp=clock.now + 100), jwt(exp=clock.now + 5000, mark="y")])
    source = TokenSource([("command", lambda: next(given))], clock)
    first = source.get()
    assert source.get() == first
    clock.now += 90
    assert source.get() != first


def test_the_username_of_the_jwt_gives_the_private_space(tmp_path):
    double = QueueDouble()
    double.tokens = {jwt(): "alice"}
    job = backend_on(double, tmp_path, token=fixed(jwt()), collab=None).submit(EXPERIMENT)
    assert double.jobs[1]["collab"] == "private-alice"
    assert job.record.collab == "private-alice"


@pytest.mark.parametrize("text", ["", "a.b.c", "a.bm90IGpzb24.c", "a.W10.c", "opaque"])
def test_what_is_no_jwt_says_nothing(text):
    assert (Secret(text).expires, Secret(text).username) == (None, None)


@pytest.mark.parametrize("text", ["two words", "line\nbreak", "tökén", "a\x00b"])
def test_what_is_no_token_is_not_sent_and_not_shown(text):
    """A header with such a text would be refused by a library that quotes it."""
    with pytest.raises(TokenNeeded) as caught:
        chain(text).get()
    assert text not in str(caught.value)


# --- token_command


def script(tmp_path, text):
    path = tmp_path / "give-token"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return [str(path)]


def test_token_command_s_output_is_the_token(tmp_path):
    assert tokens.from_command(script(tmp_path, "printf 'abc.def\\n'")).strip() == "abc.def"


def test_a_failing_token_command_shows_nothing_of_what_it_wrote(tmp_path, capfd):
    command = script(tmp_path, f"echo {TOKEN}; echo {TOKEN} >&2; exit 3")
    with pytest.raises(TokenNeeded, match="exit status 3") as caught:
        tokens.from_command(command)
    shown = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in shown + "".join(capfd.readouterr())


def test_a_token_command_that_is_not_there_or_hangs(tmp_path, monkeypatch):
    with pytest.raises(TokenNeeded, match="cannot be run"):
        tokens.from_command(["/no/such/command"])
    monkeypatch.setattr(tokens, "COMMAND_TIME", 0.05)
    with pytest.raises(TokenNeeded, match="took more than"):
        tokens.from_command(script(tmp_path, "exec tail -f /dev/null"))


def test_nobody_is_asked_where_nobody_is(monkeypatch):
    monkeypatch.delenv("EBRAINS_AUTH_TOKEN", raising=False)
    with pytest.raises(TokenNeeded, match="EBRAINS_AUTH_TOKEN"):
        tokens.standard().get()


# --- a token shows nowhere


def test_a_secret_does_not_show_itself():
    secret = Secret(TOKEN)
    assert TOKEN not in f"{secret} {secret!r} {[secret]} {vars(fixed(TOKEN))}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_settings_do_not_show_the_token_command():
    assert "s3cret" not in repr(Settings(token_command=("echo", "s3cret")))


def test_no_log_file_or_error_holds_a_token(tmp_path, caplog):
    """A whole life of a job, with what goes wrong, while every library tells all it can."""
    caplog.set_level(logging.DEBUG)
    double = QueueDouble()
    echo = answer(500, f"you sent Authorization: Bearer {TOKEN}")
    double.fault("POST", "/jobs/", echo, "drop")
    double.fault("GET", "/jobs/1", echo, httpx.ReadError(f"reset {TOKEN}"), echo)
    double.log = ["", f"env: {TOKEN}\n"]
    said = []
    job = backend_on(double, tmp_path, said=said).submit(EXPERIMENT)
    job.on_log = said.append
    job.result()
    assert TOKEN not in job.log()
    double.fault("GET", "/jobs/", echo, *[answer(403, {"detail": TOKEN})] * 2)
    with pytest.raises(BackendError) as caught:
        backend_on(double, tmp_path).client().tagged("xx")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert "HTTP Request" in caplog.text
    assert TOKEN not in caplog.text
    assert TOKEN not in " ".join(said)
    held = [p for p in tmp_path.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    assert held == []
