"""The emulated chips: cores, interrupts, packets, time. The programs are the tests' own."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path

import arm
import pytest
from arm_programs import (
    HANDLER,
    PERIOD,
    RESULT,
    SHARED,
    copier,
    exchanger,
    padded,
    receiver,
    result,
    sender,
    spinning,
    watcher,
)

from backends.spinnaker.emulator import aplx, crew, system
from backends.spinnaker.emulator.board import Board, Signal
from backends.spinnaker.emulator.memory import DTCM_BASE, NoMemoryError

APP = 17


def run(board: Board) -> None:
    while board.advance():
        pass


def word(board: Board, place: tuple[int, int, int], address: int) -> int:
    return struct.unpack("<I", board.read(*place, address, 4))[0]


def folded(packets: list[tuple[int, int]]) -> int:
    """What a receiver finds: packets are (key, payload)."""
    found = 0
    for key, payload in packets:
        found = (found * 1_000_003 + key + payload) % 2**32
    return found


def start(board: Board, place: tuple[int, int, int], code: bytes) -> None:
    board.start(*place[:2], [place[2]], arm.aplx(code), APP, False)


@pytest.fixture
def board():
    board = Board(1)
    yield board
    board.close()


def test_a_packet_crosses_chips_in_a_straight_line_where_no_table_says_otherwise(board):
    start(board, (2, 0, 4), receiver(4))
    start(board, (0, 0, 1), sender(1, 0x1230, ticks=3))
    board.set_routes(0, 0, [(0x1200, 0xFF00, 1 << 0)])
    board.set_routes(2, 0, [(0x1230, 0xFFF0, 1 << 6 + 4), (0x1200, 0xFF00, 1 << 6 + 5)])
    run(board)
    assert word(board, (2, 0, 0), result(4) + 4) == 3
    assert word(board, (2, 0, 0), result(4)) == folded([(0x1230, n) for n in (1, 2, 3)])
    counters = [word(board, chip, 0xE1000300) for chip in ((0, 0, 0), (1, 0, 0), (2, 0, 0))]
    assert counters == [3, 0, 0], "packets of a chip's own cores"
    counters = [word(board, chip, 0xE1000304) for chip in ((0, 0, 0), (1, 0, 0), (2, 0, 0))]
    assert counters == [0, 3, 3], "packets from other chips"


def test_a_packet_that_nobody_wants_is_counted_as_dropped(board):
    start(board, (7, 7, 1), sender(1, 0x55, ticks=2))
    board.set_routes(7, 7, [(0x55, 0xFF, 1 << 0)])
    start(board, (3, 3, 1), sender(1, 0x66, ticks=1))
    run(board)
    assert word(board, (7, 7, 0), 0xE1000320) == 2, "the link leads off the board"
    assert word(board, (3, 3, 0), 0xE1000320) == 1, "no entry"


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_order_of_packets_does_not_depend_on_processes(workers):
    board = Board(workers)
    senders = [(2, 3, 4), (0, 0, 9), (1, 0, 5), (0, 0, 2), (1, 1, 1)]  # in no order
    start(board, (0, 0, 1), receiver(1))
    for n, place in enumerate(senders):
        work = 40_000 * (n % 2)  # half of them are done much later than the others
        start(board, place, sender(place[2], 0x100 * place[2], 4, packets=3, work=work))
    to_origin = {(2, 3): 5, (2, 2): 4, (1, 1): 4, (1, 0): 3}
    for chip in {place[:2] for place in senders} | {(2, 2)}:
        link = to_origin.get(chip)
        board.set_routes(*chip, [(0, 0, 1 << 7 if link is None else 1 << link)])
    run(board)
    found = word(board, (0, 0, 0), result(1)), word(board, (0, 0, 0), result(1) + 4)
    board.close()
    expected = [
        (0x100 * place[2], 3 * tick + n + 1)
        for tick in range(4)
        for place in sorted(senders)
        for n in range(3)
    ]
    assert found == (folded(expected), len(expected))


def test_a_thousand_packets_at_once_arrive_in_their_order(board):
    start(board, (0, 0, 2), receiver(2))
    start(board, (0, 0, 1), sender(1, 0x77, ticks=1, packets=1000))
    board.set_routes(0, 0, [(0x77, 0xFF, 1 << 6 + 2)])
    run(board)
    assert word(board, (0, 0, 0), result(2)) == folded([(0x77, n + 1) for n in range(1000)])


def test_a_tick_that_needs_more_than_its_time_is_told(board):
    """A loop of two instructions, 110000 times: 220000 of the 200000 cycles of a tick."""
    start(board, (0, 0, 1), sender(1, 0x77, ticks=5, work=110_000))
    start(board, (0, 0, 2), sender(2, 0x77, ticks=5, work=1_000))
    run(board)
    report = json.loads(board.report())
    slow, fast = report["0,0,1"], report["0,0,2"]
    assert slow["ticks"] == fast["ticks"] == slow["overruns"] == 5
    assert slow["cycles"] == PERIOD
    assert 220_000 < slow["most"] < 220_060
    assert slow["mean"] == pytest.approx(slow["most"], abs=20)
    assert fast["overruns"] == 0
    assert 2_000 < fast["mean"] < 2_060
    (warning,) = board.warnings()
    assert warning.startswith("core 1 of chip 0,0: 5 of 5 ticks need more than the 1000 µs")
    assert "1100 µs" in warning


SARK = "IF_curr_exp.aplx"


def sark_program() -> bytes:
    """One of sPyNNaker's programs."""
    (folder,) = importlib.util.find_spec("spynnaker").submodule_search_locations
    return (Path(folder) / "pyNN" / "model_binaries" / SARK).read_bytes()


def status(board: Board, place: tuple[int, int, int]) -> bytes:
    return board.read(*place[:2], 0, system.vcpu(place[2]), system.VCPU_SIZE)


def test_a_core_that_reads_where_nothing_is_leaves_its_state(board):
    place = (1, 2, 3)
    board.write(1, 2, 0, system.vcpu(3) + 112, struct.pack("<I", 0x50000000))
    board.start(1, 2, [3], sark_program(), APP, False)
    run(board)
    block = status(board, place)
    assert block[system.Field.STATE] == system.State.RUN_TIME_ERROR
    assert block[system.Field.ERROR_CODE] == 5, "data abort, sark.h"
    assert 0x50000000 in struct.unpack_from("<8I", block)


def test_a_core_without_its_data_says_so(board):
    board.write(0, 0, 0, system.vcpu(1) + 112, struct.pack("<I", RESULT))
    board.start(0, 0, [1], sark_program(), APP, False)
    run(board)
    block = status(board, (0, 0, 1))
    assert block[system.Field.STATE] == system.State.RUN_TIME_ERROR
    assert block[72:].split(b"\0")[0] == b"IF_curr_exp"
    log = struct.unpack_from("<I", block, 88)[0]
    length = word(board, (0, 0, 0), log + 12)
    # "[ERROR] magic number is incorrect: %08x": the sentence's number, and what goes into it
    assert board.read(0, 0, 0, log + 16, length) == b"17\x1e00000000\n"


def message(core: int, command: int) -> bytes:
    """To a core's SARK (port 0), from chip 0,0's monitor, port 7."""
    return struct.pack("<8B2H3I", 0x87, 1, core, 0xFF, 0, 0, 0, 0, command, 5, 0, 0, 0)


def test_messages_reach_a_waiting_core_and_its_answer_comes_back(board):
    answers = []
    board.outgoing = lambda *answer: answers.append(answer)
    board.start(0, 0, [4, 5], sark_program(), APP, True)
    run(board)
    assert [status(board, (0, 0, core))[system.Field.STATE] for core in (4, 5)] == [5, 5]
    for core in (4, 5, 4):
        board.send_sdp(0, 0, core, message(core, 0))
    run(board)
    assert sorted(place[2] for *place, _ in answers) == [4, 4, 5]
    for x, y, core, content in answers:
        result_code, sequence, place, buffer = struct.unpack_from("<2H2I", content, 8)
        assert (x, y, result_code, sequence) == (0, 0, 0x80, 5)
        assert place == core << 8 | core, "virtual and physical core"
        assert buffer == 0xFFFF0100
        assert b"SARK/SpiNNaker" in content


def test_signals_start_only_their_own_application(board):
    board.start(0, 0, [1], sark_program(), 16, True)
    board.start(0, 0, [2], sark_program(), 17, True)
    run(board)
    board.signal(17, 0xFF, Signal.START)
    run(board)
    states = [status(board, (0, 0, core))[system.Field.STATE] for core in (1, 2)]
    assert states == [5, system.State.RUN_TIME_ERROR], "it has no data to run with"
    board.stop_app(17)
    run(board)
    assert status(board, (0, 0, 2))[system.Field.STATE] == system.State.IDLE
    assert status(board, (0, 0, 1))[system.Field.STATE] == 5


@pytest.mark.parametrize("workers", [1, 2])
def test_a_core_that_never_waits_does_not_hold_up_the_others_and_is_given_up(monkeypatch, workers):
    monkeypatch.setattr(crew, "WATCHDOG", 40_000_000)
    board = Board(workers)
    start(board, (0, 0, 1), spinning())
    start(board, (0, 0, 2), sender(2, 0x1, ticks=2))
    run(board)
    state = status(board, (0, 0, 1))[system.Field.STATE]
    ticks = word(board, (0, 0, 0), result(2))
    board.close()
    assert state == system.State.WATCHDOG
    assert ticks == 2


def test_a_core_that_fails_ticks_no_more(board):
    """SARK then turns its interrupts off, not its timer."""
    code = sender(1, 0x1, ticks=5)
    off = arm.assemble(
        *padded([*arm.vectors(), "start:", *arm.timer(PERIOD, HANDLER), arm.WAIT], HANDLER),
        arm.value(0, arm.VIC),
        arm.value(1, 0xFFFFFFFF),
        arm.store(1, 0, 0x14),
        "sleep:",
        arm.WAIT,
        arm.branch("sleep"),
    )
    start(board, (0, 0, 1), code)
    start(board, (0, 0, 2), off)
    run(board)
    assert board.tick == 5
    assert word(board, (0, 0, 0), result(1)) == 5


def test_a_stopped_core_computes_no_more(board):
    start(board, (0, 0, 1), sender(1, 0x1, ticks=1_000_000))
    board.advance()
    before = word(board, (0, 0, 0), result(1))
    assert before > 0
    board.stop_app(APP)
    run(board)
    assert word(board, (0, 0, 0), result(1)) == before


def test_dma_copies_and_fails_where_nothing_is(board):
    board.write(0, 0, 0, RESULT, bytes(range(64)))
    start(board, (0, 0, 1), copier(64, DTCM_BASE + 8))
    run(board)
    assert board.read(0, 0, 1, DTCM_BASE + 8, 64) == bytes(range(64))
    assert word(board, (0, 0, 0), result(1)) == 1 << 24 | 0x400, "core 1; done"
    start(board, (0, 0, 1), copier(64, DTCM_BASE + 0x10000 - 8))
    run(board)
    assert word(board, (0, 0, 0), result(1)) == 1 << 24


def test_watching_a_timer_is_waiting_for_the_end_of_the_tick(board):
    start(board, (0, 0, 1), watcher())
    run(board)
    assert word(board, (0, 0, 0), result(1)) == 3
    assert json.loads(board.report())["0,0,1"]["most"] < 200, "it goes round only twice"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(("writer", "reader"), [(1, 2), (2, 1)])
def test_a_tick_begins_with_what_was_written_in_the_last_one(workers, writer, reader):
    board = Board(workers)
    start(board, (0, 0, writer), exchanger(writer, 4, to_shared=True))
    start(board, (0, 0, reader), exchanger(reader, 4, to_shared=False))
    run(board)
    found = word(board, (0, 0, 0), result(reader)), word(board, (0, 0, 0), SHARED)
    board.close()
    assert found == (10203, 4)


def test_addresses_without_memory_are_refused(board):
    with pytest.raises(NoMemoryError, match="0x50000000"):
        board.read(0, 0, 0, 0x50000000, 4)
    with pytest.raises(NoMemoryError, match="0x67fffffe"):
        board.write(0, 0, 0, 0x67FFFFFE, bytes(4))


@pytest.mark.parametrize("core", [0, 18])
def test_programs_run_on_application_cores(board, core):
    with pytest.raises(ValueError, match=f"core {core}: programs run on cores 1 to 17"):
        board.start(0, 0, [core], arm.aplx(spinning()), APP, False)


@pytest.mark.parametrize(
    ("image", "why"),
    [
        (b"", "start command"),
        (struct.pack("<4I", 9, 0, 0, 0), "no command has number 9"),
        (struct.pack("<4I", 1, 0, 16, 100), "beyond the end"),
    ],
)
def test_what_is_no_program_is_refused(image, why):
    with pytest.raises(aplx.BadImageError, match=why):
        aplx.parse(image)
