"""The host's side of the emulated SpiNNaker, held against sPyNNaker's own encoders and decoders."""

from __future__ import annotations

import itertools
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from memory_board import HEAP, HEAP_END, READY, MemoryBoard, chips_of_a_board
from spinn_machine import MulticastRoutingEntry, RoutingEntry
from spinn_machine.version.version_5 import CHIPS_PER_BOARD
from spinn_utilities.config_holder import set_config
from spinnman.config_setup import unittest_setup
from spinnman.exceptions import SpinnmanUnexpectedResponseCodeException
from spinnman.messages.scp.enums import SCPCommand, SCPResult, Signal
from spinnman.messages.scp.impl import (
    AppCopyRun,
    ApplicationRun,
    AppStop,
    CountState,
    FillRequest,
    FixedRouteInit,
    FixedRouteRead,
    GetChipInfo,
    GetVersion,
    IPTagClear,
    IPTagGet,
    IPTagGetInfo,
    IPTagSet,
    ReadLink,
    ReadMemory,
    ReverseIPTagSet,
    RouterAlloc,
    RouterClear,
    RouterInit,
    SDRAMAlloc,
    SDRAMDeAlloc,
    SendSignal,
    WriteMemory,
)
from spinnman.model.enums import CPUState
from spinnman.model.heap_element import HeapElement
from spinnman.transceiver import create_transceiver_from_hostname

from backends.spinnaker.emulator import scp
from backends.spinnaker.emulator.heap import HEADER, Heap
from backends.spinnaker.emulator.monitor import Monitor
from backends.spinnaker.emulator.server import Server, private_address

ADDRESS = "127.9.8.7"
HOST = ("127.0.0.1", 40000)
APP = 30
TABLE = 0x67800000


class Host:
    """Sends sPyNNaker's requests to a monitor, without a network, and decodes the answers."""

    def __init__(self) -> None:
        self.board = MemoryBoard()
        self.sent: list[tuple] = []
        self.said: list[str] = []
        self.monitor = Monitor(
            self.board, ADDRESS, lambda *out: self.sent.append(out), self.said.append
        )
        self.sequence = 0

    def call(self, request):
        self.sequence += 1
        request.scp_request_header.sequence = self.sequence
        request.sdp_header.update_for_send(0, 0)
        message = scp.Message.decode(request.bytestring)
        answer = self.monitor.from_host(message, HOST)
        response = request.get_scp_response()
        response.read_bytestring(answer, 2)
        assert response.scp_response_header.sequence == self.sequence
        return response

    def refusal(self, request) -> None:
        """Why the machine refuses the request."""
        with pytest.raises(SpinnmanUnexpectedResponseCodeException):
            self.call(request)
        return self.said[-1]


@pytest.fixture
def host() -> Host:
    return Host()


def test_the_codes_are_spinnmans():
    assert {c.value for c in scp.Command} <= {c.value for c in SCPCommand}
    for ours, theirs in [
        (scp.Result.OK, SCPResult.RC_OK),
        (scp.Result.LENGTH, SCPResult.RC_LEN),
        (scp.Result.CHECKSUM, SCPResult.RC_SUM),
        (scp.Result.COMMAND, SCPResult.RC_CMD),
        (scp.Result.ARGUMENT, SCPResult.RC_ARG),
        (scp.Result.NO_CHIP, SCPResult.RC_ROUTE),
    ]:
        assert ours == theirs.value


def test_the_version_is_one_that_spinnaker_accepts(host):
    version = host.call(GetVersion(255, 255, 0)).version_info
    assert (version.name, version.version_number) == ("SC&MP", (4, 0, 0))
    assert (version.x, version.y) == (0, 0)  # not 255: the chip that was reached


def test_memory_is_what_was_written(host):
    host.call(WriteMemory((3, 2, 0), 0x60000123, bytes(range(256))))
    assert _data(host.call(ReadMemory((3, 2, 0), 0x60000123, 256))) == bytes(range(256))
    assert _data(host.call(ReadMemory((3, 2, 0), 0x70000123, 3))) == bytes([0, 1, 2])
    assert _data(host.call(ReadLink((2, 2, 0), 0, 0x60000123, 4))) == bytes([0, 1, 2, 3])
    host.call(FillRequest(3, 2, 0x60000200, 0xDEADBEEF, 8))
    assert _data(host.call(ReadMemory((3, 2, 0), 0x60000200, 8))) == b"\xef\xbe\xad\xde" * 2


def _data(response) -> bytes:
    return bytes(response.data[response.offset :])


def test_a_packet_that_carries_too_much_or_goes_nowhere_is_refused(host):
    assert "256 bytes, not 257" in host.refusal(ReadMemory((0, 0, 0), 0x60000000, 257))
    assert "link 3 of chip 0, 0 leads nowhere" in host.refusal(
        ReadLink((0, 0, 0), 3, 0x60000000, 4)
    )
    with pytest.raises(SpinnmanUnexpectedResponseCodeException):
        host.call(ReadMemory((7, 0, 0), 0x60000000, 4))  # no such chip on the board


def test_the_chips_are_those_of_a_board(host):
    assert set(chips_of_a_board()) == set(CHIPS_PER_BOARD)
    info = host.call(GetChipInfo(0, 0)).chip_info
    assert (info.x, info.y, info.n_cores) == (0, 0, 18)
    assert info.working_links == [0, 1, 2]
    assert info.ethernet_ip_address == ADDRESS and info.is_ethernet_available
    assert info.core_states[0] is CPUState.RUNNING
    assert info.core_states[1:] == [CPUState.IDLE] * 17
    assert info.n_free_multicast_routing_entries == 1023
    assert info.largest_free_sdram_block == HEAP_END - HEAP - 16 - HEADER
    assert info.parent_link is None
    other = host.call(GetChipInfo(4, 7)).chip_info
    assert (other.x, other.y, other.parent_link) == (4, 7, 4)
    assert other.ethernet_ip_address is None and not other.is_ethernet_available
    assert other.working_links == [0, 4, 5]


def test_states_of_cores_are_counted(host):
    for chip, core in [((1, 1), 4), ((1, 1), 5), ((7, 7), 17)]:
        host.board.put_state(*chip, core, CPUState.PAUSED.value, APP)
    host.board.put_state(2, 2, 1, CPUState.PAUSED.value, APP + 1)
    assert host.call(CountState(0, 0, APP, CPUState.PAUSED)).count == 3
    assert host.call(CountState(0, 0, APP, CPUState.RUNNING)).count == 0


def test_memory_is_allocated_and_given_back(host):
    first = host.call(SDRAMAlloc(1, 0, APP, 100, 7)).base_address
    second = host.call(SDRAMAlloc(1, 0, APP, 1, 0)).base_address
    assert first == HEAP + 16 + HEADER
    assert second == first + 100 + HEADER
    tags = struct.unpack("<I", host.board.read(1, 0, 0, 0x60200000 + 4 * (APP << 8 | 7), 4))[0]
    assert tags == first
    free = host.call(GetChipInfo(1, 0)).chip_info.largest_free_sdram_block
    assert free == HEAP_END - HEAP - 16 - (100 + HEADER) - (4 + HEADER) - HEADER
    assert host.call(SDRAMDeAlloc(1, 0, app_id=APP)).number_of_blocks_freed == 2
    assert host.call(SDRAMAlloc(1, 0, APP, HEAP_END - HEAP - 16 - HEADER)).base_address == first


def test_memory_that_is_not_there_is_not_given(host):
    with pytest.raises(Exception, match="Could not allocate 200000000 bytes"):
        host.call(SDRAMAlloc(0, 0, APP, 200_000_000))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 3)), min_size=1, max_size=30))
def test_the_heap_stays_whole(steps):
    board = MemoryBoard()
    heap = Heap(board, 0, 0)
    held: list[tuple[int, int]] = []
    for size, choice in steps:
        if choice == 0 and held:
            assert heap.free(held.pop(size % len(held))[0])
        else:
            held.append((heap.allocate(size, APP, 0), size))
    elements = [
        HeapElement(block.address, block.next, struct.unpack("<I", free)[0])
        for block in heap.blocks()
        for free in [board.read(0, 0, 0, block.address + 4, 4)]
    ]
    used = [e for e in elements if not e.is_free]
    assert {e.block_address + HEADER for e in used} == {address for address, _ in held}
    sizes = dict(held)
    assert all(e.size >= sizes[e.block_address + HEADER] and e.app_id == APP for e in used)
    assert not any(a.is_free and b.is_free for a, b in itertools.pairwise(elements))
    free_bytes = struct.unpack("<I", board.read(0, 0, 0, HEAP + 12, 4))[0]
    assert free_bytes == sum(e.size + HEADER for e in elements if e.is_free)
    assert _free_list(board) == [e.block_address for e in elements if e.is_free]


def _free_list(board: MemoryBoard) -> list[int]:
    found, address = [], struct.unpack("<I", board.read(0, 0, 0, HEAP, 4))[0]
    while address:
        found.append(address)
        address = struct.unpack("<I", board.read(0, 0, 0, address + 4, 4))[0]
    return found


def test_routes_are_loaded_read_and_cleared(host):
    entries = [(0x1000, 0xFFFFF000, 0b1000001), (0x2000, 0xFFFFFF00, 0b10)]
    packed = b"".join(
        struct.pack("<2H3I", k, 0, r, key, m) for k, (key, m, r) in enumerate(entries)
    )
    host.call(WriteMemory((1, 1, 0), TABLE, packed))
    base = host.call(RouterAlloc(1, 1, APP, 2)).base_address
    host.call(RouterInit(1, 1, 2, TABLE, base, APP))
    assert host.board.log[-1] == ("routes", 1, 1, tuple(entries))
    table = host.board.read(1, 1, 0, 0x60100000, 16 * 1024)
    shown = [e for e in struct.iter_unpack("<2xBxIII", table) if e[1] < 0xFF000000]
    assert [(key, mask, route) for _, route, key, mask in shown] == entries
    assert {app for app, *_ in shown} == {APP}
    assert host.call(GetChipInfo(1, 1)).chip_info.n_free_multicast_routing_entries == 1021
    host.call(AppStop(APP))
    assert ("routes", 1, 1, ()) in host.board.log and ("stop", APP) in host.board.log
    assert "not allocated" in host.refusal(RouterInit(1, 1, 2, TABLE, base, APP))
    host.call(RouterClear(1, 1))


def test_the_fixed_route_is_kept(host):
    host.call(FixedRouteInit(0, 1, 0b1000010, APP))
    assert host.call(FixedRouteRead(0, 1, APP)).route == _route([0], [1])


def _route(cores: list[int], links: list[int]) -> RoutingEntry:
    return RoutingEntry(processor_ids=cores, link_ids=links)


def test_applications_are_started_from_memory_and_from_neighbours(host):
    image = bytes(range(256)) * 4
    for at in range(0, len(image), 256):
        host.call(WriteMemory((0, 0, 0), TABLE + at, image[at : at + 256]))
    host.call(ApplicationRun(APP, 0, 0, [1, 17], wait=True))
    name, x, y, cores, started, app_id, wait = host.board.log[-1]
    assert (name, x, y, cores, app_id, wait) == ("start", 0, 0, (1, 17), APP, True)
    assert started.startswith(image)
    checksum = sum(struct.unpack("<256I", image)) & 0xFFFFFFFF
    host.call(AppCopyRun(1, 1, 4, len(image), APP, None, checksum))
    assert host.board.log[-1][0] == "start" and host.board.log[-1][1] == 0  # no cores: no start
    host.call(AppCopyRun(2, 1, 3, len(image), APP, [3], checksum))
    assert host.board.log[-1] == ("start", 2, 1, (3,), image, APP, False)
    assert "has changed" in host.refusal(AppCopyRun(1, 1, 4, len(image), APP, [1], checksum + 1))


def test_signals_reach_their_application(host):
    host.call(SendSignal(APP, Signal.SYNC0))
    assert host.board.log[-1] == ("signal", APP, 0xFF, Signal.SYNC0.value)


def test_tags_lead_messages_to_the_host(host):
    host.call(IPTagSet(0, 0, [127, 0, 0, 9], 17895, 3, strip=True))
    tag = host.call(IPTagGet(0, 0, 3))
    assert tag.in_use and tag.strip_sdp and not tag.is_reverse
    assert (bytes(tag.ip_address), tag.port) == (bytes([127, 0, 0, 9]), 17895)
    info = host.call(IPTagGetInfo(0, 0))
    assert info.fixed_size == 8
    out = scp.Message(7, 3, scp.Place(0, 0, 31, 7), scp.Place(1, 1, 4, 1), b"spikes")
    host.monitor.from_core(1, 1, 4, out.encode())
    assert host.sent == [(("127.0.0.9", 17895), b"spikes")]
    host.call(IPTagClear(0, 0, 3))
    assert not host.call(IPTagGet(0, 0, 3)).in_use
    assert "not emulated" in host.refusal(ReverseIPTagSet(0, 0, 1, 1, 3, 12345, 2, 1))


def test_an_answer_of_a_core_finds_who_asked(host):
    question = scp.Message(0x87, 255, scp.Place(1, 2, 5, 3), scp.Place(0, 0, 31, 7), b"question")
    assert host.monitor.from_host(question, HOST) is None
    name, x, y, core, delivered = host.board.log[-1]
    assert (name, x, y, core) == ("sdp", 1, 2, 5)
    arrived = scp.Message.decode(delivered)
    answer = arrived.answer(b"answer", arrived.to)
    host.monitor.from_core(1, 2, 5, answer.encode())
    (address, datagram) = host.sent[-1]
    assert address == HOST
    assert scp.Message.from_datagram(datagram).data == b"answer"
    host.monitor.from_core(1, 2, 5, answer.encode())
    assert len(host.sent) == 1  # one answer a question


# --- over the network -------------------------------------------------------------------------


@contextmanager
def served(board: MemoryBoard) -> Iterator[str]:
    sock, address = private_address()
    server = Server(board, sock, address, lambda line: None)
    reading, writing = os.pipe()
    thread = threading.Thread(target=server.serve, args=(reading,))
    thread.start()
    try:
        yield address
    finally:
        os.close(writing)
        thread.join()
        os.close(reading)
        sock.close()


def test_spinnman_finds_the_machine_and_uses_it():
    unittest_setup()
    set_config("Machine", "version", "5")
    board = MemoryBoard()
    with served(board) as address:
        transceiver = create_transceiver_from_hostname(address)
        try:
            transceiver.discover_scamp_connections()
            machine = transceiver.get_machine_details()
            assert set(machine.chip_coordinates) == set(CHIPS_PER_BOARD)
            where = transceiver.malloc_sdram(3, 3, 100_000, APP, 5)
            content = os.urandom(100_000)
            transceiver.write_memory(3, 3, where, content)
            assert transceiver.read_memory(3, 3, where, len(content)) == content
            transceiver.load_multicast_routes(
                2, 2, [MulticastRoutingEntry(8, 0xFFFFFFF8, _route([1], [2]))], APP
            )
            (route,) = transceiver.get_multicast_routes(2, 2, APP)
            assert (route.key, route.mask) == (8, 0xFFFFFFF8)
        finally:
            transceiver.close()


def test_counting_waits_until_the_chips_rest():
    """The host gives cores a second to start, which is long only on silicon."""
    unittest_setup()
    set_config("Machine", "version", "5")
    board = MemoryBoard()
    started = threading.Event()

    def advance() -> bool:
        if not started.is_set():
            return False
        board.left += 1
        if board.left == 2000:
            board.put_state(0, 0, 1, READY, APP)
        return board.left < 2000

    board.advance = advance  # type: ignore[method-assign]
    with served(board) as address:
        transceiver = create_transceiver_from_hostname(address)
        try:
            transceiver.discover_scamp_connections()
            started.set()
            assert transceiver.get_core_state_count(APP, CPUState.READY, [(0, 0)]) == 1
        finally:
            transceiver.close()


# --- the launcher -----------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parent.parent


def launched(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "backends.spinnaker.emulator", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_a_script_that_is_not_there_is_named(tmp_path):
    ended = launched("none.py", folder=tmp_path)
    assert ended.returncode == 2
    assert "none.py: no such file" in ended.stderr
