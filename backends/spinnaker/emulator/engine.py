"""The parts of unicorn that this emulator uses, called without what its Python layer adds.

A simulated tick crosses from Python to the engine and back hundreds of times; its wrapper for
each call would take most of the time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

from unicorn import arm_const as arm
from unicorn import unicorn_const as const
from unicorn.unicorn_py3 import unicorn as _unicorn

from .memory import ChipMemory, Region
from .peripherals import Device

_library: Any = _unicorn.uclib
_Uc: Any = _unicorn.Uc

PAGE = 0x1000
WORD = 4
_READ = ctypes.CFUNCTYPE(
    ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_void_p
)
_WRITE = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint, ctypes.c_uint64, ctypes.c_void_p
)


class EngineError(RuntimeError):
    """The engine refused a call."""


def _checked(status: int) -> None:
    if status:
        raise EngineError(f"unicorn: error {status}")


class Engine:
    """An ARMv5TE processor: memory, devices, registers; it runs from an address to an exit."""

    def __init__(self) -> None:
        self._uc = _Uc(const.UC_ARCH_ARM, const.UC_MODE_ARM, arm.UC_CPU_ARM_946)
        self.handle = self._uc._uch
        self._pages: list[_Page] = []
        self._failures: list[Exception] = []

    def map_memory(self, memory: ChipMemory, regions: Sequence[Region]) -> None:
        """Let it see regions of a chip's memory, at their addresses."""
        for region in regions:
            pointer = memory.pointer(region)
            self._uc.mem_map_ptr(region.base, region.size, const.UC_PROT_ALL, pointer)

    def map_page(self, base: int) -> None:
        """A page of plain memory."""
        self._uc.mem_map(base, PAGE)

    def write(self, address: int, content: bytes) -> None:
        self._uc.mem_write(address, content)

    def map_device(self, base: int, device: Device) -> None:
        """A page with a device behind it."""
        self._pages.append(_Page(self.handle, base, device, self._failures))

    def set_exits(self, addresses: Sequence[int]) -> None:
        """Where it stops."""
        self._uc.ctl_exits_enabled(True)
        self._uc.ctl_set_exits(list(addresses))

    def start(self, pc: int) -> int:
        """Run until an exit, a fault or a stop; unicorn's status. Raises a device's exception."""
        status = _library.uc_emu_start(self.handle, pc, 0, 0, 0)
        if self._failures:
            raise self._failures.pop()
        return int(status)

    def stop(self) -> None:
        """From a device or a hook: come back at the end of the present block."""
        _library.uc_emu_stop(self.handle)

    def hook_blocks(self, function: int, argument: int) -> None:
        """Call compiled code at the addresses before every block."""
        handle = ctypes.c_size_t()
        always = (ctypes.c_uint64(1), ctypes.c_uint64(0))
        pointers = (ctypes.c_void_p(function), ctypes.c_void_p(argument))
        reference = ctypes.byref(handle)
        _checked(
            _library.uc_hook_add(self.handle, reference, const.UC_HOOK_BLOCK, *pointers, *always)
        )


def stop_function() -> Any:
    """What compiled code calls, with the engine, to stop it."""
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(("uc_emu_stop", _library))


class Registers:
    """Several registers of an engine at once, without the cost of one call each."""

    def __init__(self, engine: Engine, names: Sequence[int]) -> None:
        n = len(names)
        self._values = (ctypes.c_uint32 * n)()
        width = ctypes.sizeof(ctypes.c_uint32)
        base = ctypes.addressof(self._values)
        pointers = (ctypes.c_void_p * n)(*(base + width * i for i in range(n)))
        self._arguments = (engine.handle, (ctypes.c_int * n)(*names), pointers, n)
        self._read, self._write = _library.uc_reg_read_batch, _library.uc_reg_write_batch

    def get(self) -> list[int]:
        self._read(*self._arguments)
        return self._values[:]

    def set(self, *values: int) -> None:
        self._values[:] = list(values)
        self._write(*self._arguments)


class _Page:
    """A page of addresses with a device behind it; bytes and half words are parts of a register."""

    def __init__(self, handle: Any, base: int, device: Device, failures: list[Exception]) -> None:
        """Exceptions of the device are put into `failures`, and stop the engine."""

        def read(engine: Any, offset: int, size: int, _: Any) -> int:
            try:
                if size == WORD:
                    return device.read(offset)
                return device.read(offset & ~3) >> 8 * (offset & 3) & (1 << 8 * size) - 1
            except Exception as error:
                failures.append(error)
                _library.uc_emu_stop(engine)
                return 0

        def write(engine: Any, offset: int, size: int, value: int, _: Any) -> None:
            try:
                device.write(offset, value)
            except Exception as error:
                failures.append(error)
                _library.uc_emu_stop(engine)

        self._callbacks = (_READ(read), _WRITE(write))
        """Kept for as long as the engine may call them."""
        read_pointer, write_pointer = (
            ctypes.cast(callback, ctypes.c_void_p) for callback in self._callbacks
        )
        _checked(_library.uc_mmio_map(handle, base, PAGE, read_pointer, None, write_pointer, None))
