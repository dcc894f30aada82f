"""SpiNNaker's numbers against values that its machine code computed, and against mathematics."""

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.spinnaker import arithmetic, gaussian, parameters
from backends.spinnaker.twin import kernels

TRACES = Path(__file__).parent / "data" / "spinnaker_traces"
CELL = {
    "tau_m": 20.0,
    "cm": 1.0,
    "v_rest": -65.0,
    "v_reset": -65.0,
    "v_thresh": -50.0,
    "tau_refrac": 2.0,
    "i_offset": 0.0,
    "tau_syn_E": 5.0,
    "tau_syn_I": 5.0,
}


def recorded(name):
    return json.loads((TRACES / f"{name}.json").read_text(encoding="utf-8"))


def cells(**changes):
    return {name: np.atleast_1d(value) for name, value in {**CELL, **changes}.items()}


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "raw"),
    [(1.3, 42598), (0.1, 3277), (-65.0, -2129920), (65535.999969482421875, 2**31 - 1)],
)
def test_numbers_are_encoded_as_the_host_does(value, raw):
    assert arithmetic.encode("x", value) == raw


@pytest.mark.parametrize(("halves", "raw"), [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2)])
def test_ties_go_to_the_even_number(halves, raw):
    value = halves / 65536
    assert arithmetic.encode("x", value) == raw
    assert arithmetic.encode_array("x", [value]).tolist() == [raw]


def test_a_tie_that_its_printed_digits_miss_is_rounded_by_the_digits():
    value = 12345.0 + 1 / 65536  # printed as 12345.000015258789, a little less than itself
    assert Decimal(str(value)) < Decimal(value)
    below = 12345 * 32768
    assert arithmetic.encode("x", value) == below
    value += 1 / 32768
    expected = int(round(Decimal(str(value)) * 32768))
    assert arithmetic.encode_array("x", [value]).tolist() == [expected]


@given(st.lists(st.floats(-65536, 65535.99), min_size=1, max_size=20))
def test_an_array_is_encoded_as_its_numbers_are(values):
    one_by_one = [arithmetic.encode("x", value) for value in values]
    assert arithmetic.encode_array("x", values).tolist() == one_by_one


@pytest.mark.parametrize("value", [65536.0, -65536.1, np.nan, np.inf])
def test_numbers_beyond_the_range_are_refused_by_name(value):
    with pytest.raises(ValueError, match="cm = "):
        arithmetic.encode("cm", value)
    with pytest.raises(ValueError, match="cm = "):
        arithmetic.encode_array("cm", [1.0, value])


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))
def test_products_are_cut_off_and_wrap(a, b):
    exact = a * b // 32768
    assert (arithmetic.multiply(a, b) - exact) % 2**32 == 0
    assert -(2**31) <= arithmetic.multiply(a, b) < 2**31


def test_the_exponential_function_at_recorded_points():
    points = recorded("exp_points")
    assert [arithmetic.exp(x) for x in points["x"]] == points["expk"]
    assert [arithmetic.exp_fraction(x) for x in points["x"]] == points["expulr"]


def test_the_sine_at_recorded_points():
    points = recorded("sine_points")
    assert arithmetic.sine(np.array(points["x"])).tolist() == points["sine"]


@given(st.integers(-400000, 400000))
def test_the_sine_is_one(x):
    found = int(arithmetic.sine(x)) / 32768
    assert abs(found - np.sin(x / 32768)) < 1e-4


def test_an_angle_whose_sine_reads_foreign_memory_is_refused():
    with pytest.raises(ValueError, match="-15900 radians"):
        arithmetic.sine(np.array([0, -1517171889]))


def test_times_lose_what_is_less_than_a_tick():
    assert arithmetic.ticks([0.0, 0.99, 1.0, 5.9], 1.0).tolist() == [0, 0, 1, 5]
    multiplied = np.arange(2000) * 0.1
    assert arithmetic.ticks(multiplied, 0.1).tolist() == list(range(2000))
    added = np.cumsum(np.full(2000, 0.1))
    assert np.mean(arithmetic.ticks(added, 0.1) != np.arange(1, 2001)) > 0.1


# --- random numbers ------------------------------------------------------------------------------


def drawn(n):
    """The places in the table that the generator's numbers point to, from a table of places."""
    places = np.arange(-32768, 32768, dtype=np.int32)
    current = np.zeros((n, 1), np.int64)
    state = np.array([123456789, 987654321, 43219876, 6543217], np.uint64)
    kernels.noise(0, current, np.array([0]), 0, n, 0, 32768, state, places)
    return current[:, 0].tolist(), state


def test_the_generator_of_the_check_values():
    found, _ = drawn(3)
    words = [560241513, 2602615593, 2542353780]
    assert found == [arithmetic.wrap(word) >> 16 for word in words]


def test_the_table_of_the_normal_distribution():
    table = gaussian.table()
    assert table.dtype == np.int32
    assert table.shape == (65536,)
    assert table[-20000 + 32768] == -28187
    assert table[12345 + 32768] == 16096
    assert table[0] == -7 * 32768
    assert np.std(table / 32768) == pytest.approx(1.0002, abs=5e-5)
    assert np.array_equal(table[1:], -table[:0:-1])
    assert np.abs(table[1:]).max() / 32768 == pytest.approx(4.17, abs=5e-3)


# --- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestep", "decay", "refractory"), [(1.0, 31170, 2), (0.1, 32605, 20), (0.25, 32361, 8)]
)
def test_the_check_values_of_parameters(timestep, decay, refractory):
    found = parameters.device(cells(), timestep)
    assert found.resistance.tolist() == [655360]
    assert found.decay.tolist() == [decay]
    assert found.refractory.tolist() == [refractory]


NAMES = {
    "R": "resistance",
    "exp_TC": "decay",
    "V_rest": "v_rest",
    "V_reset": "v_reset",
    "V_th": "v_thresh",
    "I_off": "i_offset",
    "T_ref": "refractory",
    "decE": "decay_exc",
    "decI": "decay_inh",
}


@pytest.mark.parametrize("trace", sorted(path.stem for path in TRACES.glob("c*.json")))
def test_parameters_are_those_that_the_machine_code_made(trace):
    made = recorded(trace)
    case = made["case"]
    given_ = {name: np.broadcast_to(v, case["n"]) for name, v in cells(**case["params"]).items()}
    found = parameters.device(given_, case["dt"])
    for theirs, ours in NAMES.items():
        assert getattr(found, ours).tolist() == made["device_params_raw"][theirs], theirs


def test_neurons_of_equal_parameters_get_equal_numbers():
    tau = np.array([20.0, 10.0, 20.0, 10.0])
    cm = np.array([1.0, 1.0, 2.0, 1.0])
    found = parameters.device({**cells(), "tau_m": tau, "cm": cm}, 1.0)
    assert found.resistance.tolist() == [655360, 327680, 327680, 327680]
    assert found.decay[0] == found.decay[2] != found.decay[1]


@pytest.mark.parametrize("name", ["cm", "tau_m", "tau_syn_E", "tau_syn_I"])
def test_what_becomes_zero_and_is_divided_by_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} = 1e-05"):
        parameters.device(cells(**{name: 1e-5}), 1.0)
