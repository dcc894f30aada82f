"""From two accounts of a condition to the findings: what the one has that the other has not."""

from __future__ import annotations

from dataclasses import replace

from analysis.diagnosis.course import Course
from analysis.diagnosis.declared import Difference, noisy
from analysis.diagnosis.dynamics import Account, told_apart
from analysis.diagnosis.explanations import Explanation, Fit
from analysis.diagnosis.findings import Cause, Finding
from analysis.diagnosis.wording import many, ms, percent, signed
from analysis.lif import Scheme, effective_tau
from analysis.pairing import Pair

OWNERS = {True: "other run", False: "reference"}


def mechanisms(
    pair: Pair,
    accounts: tuple[Account, Account],
    course: Course,
    differences: tuple[Difference, ...],
) -> list[Finding]:
    """The findings of one condition whose current is known on both sides."""
    ours, theirs = accounts
    said = [_said(difference, course, ours, theirs) for difference in differences]
    if ours.good and theirs.good:
        found = [*said, *_traits(pair, ours, theirs, course)]
        return found or [_left_over(ours, theirs, course)]
    if not ours.good and not theirs.good:
        return said
    return [*said, *_one_sided(pair, ours, theirs, course, bool(said))]


def _said(difference: Difference, course: Course, ours: Account, theirs: Account) -> Finding:
    """A difference that the two experiments declare, checked by their models."""
    explained = theirs.fraction if theirs.good and ours.good else None
    return said_only(difference, course, explained)


def said_only(difference: Difference, course: Course, explained: float | None = None) -> Finding:
    """A difference that the two experiments declare.

    explained: fraction of the other run's spikes that its own experiment predicts, if it does.
    """
    evidence: dict[str, float | str] = {
        "parameter": difference.key.rpartition(".")[2],
        "key": difference.key,
        "reference": str(difference.reference),
        "other": str(difference.other),
        "declared": "yes",
        **course.evidence(),
    }
    if explained is not None:
        evidence["explained"] = explained
    sentence = f"The experiments differ: {difference.words} in the other run"
    if difference.cause is Cause.DIFFERENT_NOISE:
        sentence = (
            f"The noise samples are different ones: {difference.words}. "
            f"{course.sentence} ({percent(course.by_chance)} by chance). Compare runs of one seed "
            "spike by spike, of different seeds with statistical(alpha)"
        )
    elif difference.cause is Cause.TIMESTEP:
        sentence = (
            f"The timesteps differ: {difference.words} ms. A spike is stamped with the end of its "
            f"step, up to one step late. {course.sentence}. Run both at the same timestep"
        )
    elif explained is not None:
        sentence += f", which accounts for {percent(explained)} of its spikes"
        sentence += f". {course.sentence}"
    return Finding(difference.cause, f"{sentence}.", evidence)


# --- traits ----------------------------------------------------------------------------------


def _traits(pair: Pair, ours: Account, theirs: Account, course: Course) -> list[Finding]:
    """What the models of both sides have different; what it comes to is said with the first."""
    a, b = ours.explanation, theirs.explanation
    found: list[Finding | None] = []
    found += [_parameter(fits, pair, theirs, course, True) for fits in [b.fits] if fits]
    found += [_parameter(fits, pair, ours, course, False) for fits in [a.fits] if fits]
    found += [_two(theirs, course, True)] if b.both else []
    found += [_two(ours, course, False)] if a.both else []
    if abs(ours.step - theirs.step) > 1e-9 and abs(ours.stated - theirs.stated) < 1e-9:
        found.append(_timestep(ours, theirs, course))
    found += _schemes(ours, theirs, course)
    found += [_refractory(a, b, ours, course), _lost(a, b, ours, course)]
    found += [_stamp(a, b, ours, course), _rounding(ours, theirs, course)]
    skipped = b.skipped - a.skipped
    if skipped and abs(skipped) >= 2:
        found.append(_skipped(b if skipped > 0 else a, OWNERS[skipped > 0]))
    return _with_course([finding for finding in found if finding is not None], course)


def _with_course(found: list[Finding], course: Course) -> list[Finding]:
    if not found:
        return []
    together = "Together: " if len(found) > 1 else ""
    said = course.sentence
    said = f"{together}{said[0].lower()}{said[1:]}" if together else said
    first = replace(found[0], sentence=f"{found[0].sentence} {said}.")
    return [first, *found[1:]]


def _parameter(
    fits: tuple[Fit, ...], pair: Pair, account: Account, course: Course, of_other: bool
) -> Finding:
    kept = told_apart(fits, account, pair) if of_other else fits
    kept = tuple(sorted(kept, key=lambda f: _PREFERRED.index(f.parameter)))
    best, rest = kept[0], kept[1:]
    owner = OWNERS[of_other]
    explained = account.explanation.fraction
    sentence = (
        f"The {owner} behaves as if {as_if(best)}: with that, {percent(explained)} of "
        f"{account.explanation.n} intervals between its spikes come out right, with the "
        f"experiment's own value {percent(account.explanation.nominal)}."
    )
    same = ["every injected current " + _gain(best)] if best.parameter == "cm" else []
    same += [as_if(fit) for fit in rest]
    if same:
        sentence += f" From these spikes that cannot be told from {' or '.join(same)}."
        if rest and pair.other.potentials is None:
            sentence += " A recorded potential, or a second current, would tell."
    if best.parameter == "v_init":
        sentence += " PyNN starts every cell at -65 mV unless initialize(v=…) says otherwise."
    names = [fit.parameter for fit in kept]
    named = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    sentence += f" Check {named} in the {owner}."
    evidence: dict[str, float | str] = {
        "parameter": best.parameter, "old": best.old, "new": best.new, "change": best.change,
        "low": best.low, "high": best.high, "unit": best.unit, "explained": explained,
        "explained_before": account.explanation.nominal, "of": owner,
        "alternatives": ", ".join(fit.parameter for fit in rest),
        **course.evidence(),
    }  # fmt: skip
    if best.old and best.parameter in _SCALES:
        evidence["relative"] = best.new / best.old - 1
    return Finding(Cause.PARAMETER, sentence, evidence)


_PREFERRED = (
    "tau_m", "v_thresh", "v_rest", "v_reset", "i_offset", "tau_refrac", "cm", "current gain",
    "v_init",
)  # fmt: skip
_SCALES = ("tau_m", "cm", "tau_refrac", "current gain")


def as_if(fit: Fit) -> str:
    """tau_m were 1.0 % longer (30.3 instead of 30 ms)"""
    values = f"{fit.new:.6g} instead of {fit.old:.6g} {fit.unit}".rstrip()
    if fit.parameter in _SCALES and fit.old:
        relative = 100 * (fit.new / fit.old - 1)
        more = "longer" if fit.parameter.startswith("tau") else "larger"
        less = "shorter" if fit.parameter.startswith("tau") else "smaller"
        word = more if relative > 0 else less
        return f"{fit.parameter} were {abs(relative):.2g} % {word} ({values})"
    word = "higher" if fit.change > 0 else "lower"
    return f"{fit.parameter} were {abs(fit.change):.3g} {fit.unit} {word} ({values})"


def _gain(fit: Fit) -> str:
    relative = 100 * (fit.old / fit.new - 1)
    return f"being {abs(relative):.2g} % {'larger' if relative > 0 else 'smaller'}"


def _two(account: Account, course: Course, of_other: bool) -> Finding:
    both = account.explanation.both
    assert both is not None
    owner = OWNERS[of_other]
    words = [
        as_if(Fit(c.parameter, c.old, c.new, c.new, c.new, c.unit, 1.0, 0.0, both.model))
        for c in both.changes
    ]
    sentence = (
        f"The {owner} behaves as if two parameters were changed: {words[0]} and {words[1]}. With "
        f"both, {percent(account.explanation.fraction)} of {account.explanation.n} intervals "
        "between its spikes come out right, with the experiment's own values "
        f"{percent(account.explanation.nominal)}; no single parameter does. Check both in the "
        f"{owner}."
    )
    evidence: dict[str, float | str] = {
        "parameter": ", ".join(c.parameter for c in both.changes),
        **{f"new {c.parameter}": c.new for c in both.changes},
        "explained": account.explanation.fraction,
        "explained_before": account.explanation.nominal,
        "of": owner,
        **course.evidence(),
    }
    return Finding(Cause.PARAMETER, sentence, evidence)


def _timestep(ours: Account, theirs: Account, course: Course) -> Finding:
    owner = theirs if theirs.step > ours.step else ours
    name = OWNERS[owner is theirs]
    sentence = (
        f"The {name} was computed with a timestep of {ms(owner.step)}, not "
        f"{ms(owner.stated)} as its experiment says: all its spikes are on that grid, "
        f"and {percent(owner.fraction)} of them come out right when the threshold is tested that "
        "rarely. "
        "Run both at the same timestep."
    )
    evidence = {"reference": ours.step, "other": theirs.step, **course.evidence()}
    return Finding(Cause.TIMESTEP, sentence, evidence)


def _schemes(ours: Account, theirs: Account, course: Course) -> list[Finding]:
    a, b = ours.explanation.model.scheme, theirs.explanation.model.scheme
    found = []
    for scheme, account, of_other in ((b, theirs, True), (a, ours, False)):
        if a == b:
            break
        if scheme is Scheme.FIXED_POINT:
            found.append(_fixed_point(account, of_other, course))
        elif scheme in (Scheme.BACKWARD_EULER, Scheme.FORWARD_EULER):
            found.append(_euler(scheme, account, of_other, course))
    return found


def _rounding(ours: Account, theirs: Account, course: Course) -> Finding | None:
    exact_is_ours = ours.explanation.model.scheme is Scheme.OFF_GRID
    if exact_is_ours == (theirs.explanation.model.scheme is Scheme.OFF_GRID):
        return None
    account = theirs if exact_is_ours else ours
    owner, exact = OWNERS[exact_is_ours], OWNERS[not exact_is_ours]
    how = (
        " Under this current nothing takes that back, so that it adds up from spike to spike."
        if course.drifts
        else ""
    )
    sentence = (
        f"Grid rounding: the {exact} has its spikes where the potential crosses the threshold, the "
        f"{owner} at the end of the step of {ms(account.step)} in which it does, up to a step "
        f"late, and the next interval starts from there.{how} This is no fault: compare with a "
        "window that grows with the spike's number, or use a smaller timestep."
    )
    evidence = {"step_ms": account.step, "explained": account.fraction, **course.evidence()}
    return Finding(Cause.GRID_ROUNDING, sentence, evidence)


def _euler(scheme: Scheme, account: Account, of_other: bool, course: Course) -> Finding:
    owner = OWNERS[of_other]
    neuron, step = account.explanation.model.neuron, account.step
    late = "longer" if scheme is Scheme.BACKWARD_EULER else "shorter"
    advice = (
        " PyNN's NEURON does that unless h.secondorder = 2 is set after setup()."
        if scheme is Scheme.BACKWARD_EULER
        else ""
    )
    sentence = (
        f"The {owner} integrates by {scheme}, as if the membrane's time constant were "
        f"{percent(step / 2 / neuron.tau_m)} ({ms(step / 2)}) {late}: "
        f"{percent(account.fraction)} of its intervals come "
        f"out right with that, {percent(account.explanation.nominal)} with the exact solution."
        f"{advice}"
    )
    evidence = {"scheme": str(scheme), "explained": account.fraction,
                "explained_before": account.explanation.nominal, **course.evidence()}  # fmt: skip
    return Finding(Cause.DRIFT, sentence, evidence)


def _fixed_point(account: Account, of_other: bool, course: Course) -> Finding:
    owner = OWNERS[of_other]
    neuron = account.explanation.model.neuron
    tau = effective_tau(neuron, account.plan.timestep)
    relative = tau / neuron.tau_m - 1
    sentence = (
        f"Fixed point: the {owner} computes in SpiNNaker's 32-bit numbers (steps of 1/32768, "
        f"rounded down), which makes tau_m effectively {tau:.5g} ms instead of {neuron.tau_m:g} ms "
        f"({100 * relative:+.2g} %): {percent(account.fraction)} of its intervals come out right "
        f"in that arithmetic, {percent(account.explanation.nominal)} in exact numbers. "
        "A tau_m for which the rounding is small, or dt = 1 ms, reduces it."
    )
    evidence: dict[str, float | str] = {
        "effective_tau_m": tau, "relative": relative, "explained": account.fraction,
        "explained_before": account.explanation.nominal, **course.evidence(),
    }  # fmt: skip
    return Finding(Cause.FIXED_POINT, sentence, evidence)


def _refractory(a: Explanation, b: Explanation, ours: Account, course: Course) -> Finding | None:
    steps = b.model.refractory - a.model.refractory
    if not steps:
        return None
    sentence = (
        f"The refractory period of the other run is {many(abs(steps), 'timestep')} "
        f"{'shorter' if steps < 0 else 'longer'} than the reference's, "
        f"{signed(steps * ours.step, 'ms')} at each spike."
    )
    if steps == -1:
        sentence += " PyNN's Brian2 does that; tau_refrac + dt makes up for it."
    evidence = {"refractory_steps": float(steps), "explained": b.fraction, **course.evidence()}
    return Finding(Cause.DRIFT, sentence, evidence)


def _stamp(a: Explanation, b: Explanation, ours: Account, course: Course) -> Finding | None:
    steps = b.model.stamp - a.model.stamp
    if not steps:
        return None
    shift = steps * ours.step
    where = "start" if steps < 0 else "end"
    sentence = (
        f"The other run stamps its spikes {many(abs(steps), 'timestep')} "
        f"{'earlier' if steps < 0 else 'later'} ({ms(abs(shift))}), with the {where} of the step: "
        f"a constant shift, to be corrected by {signed(-shift, 'ms')}."
    )
    evidence = {"steps": float(steps), "shift_ms": shift, "explained": b.fraction}
    return Finding(Cause.CONSTANT_SHIFT, sentence, evidence)


def _lost(a: Explanation, b: Explanation, ours: Account, course: Course) -> Finding | None:
    steps = b.model.lost - a.model.lost
    if not steps:
        return None
    length = abs(steps) * ours.plan.timestep
    owner = OWNERS[steps > 0]
    sentence = (
        f"In the {owner} the first {ms(length)} of the current are missing: its first spikes are "
        f"late, the intervals after them are right. PyNN's NEST delivers a "
        "current only after min_delay + dt; shift everything by a lead-in."
    )
    evidence = {"lost_ms": length, "explained": b.fraction, **course.evidence()}
    return Finding(Cause.CONSTANT_SHIFT, sentence, evidence)


def _skipped(explanation: Explanation, owner: str) -> Finding:
    fraction = explanation.skipped / max(explanation.n + explanation.skipped, 1)
    sentence = (
        f"{many(explanation.skipped, 'spike')} ({percent(fraction)}) of the {owner} must have "
        "happened but are not in its recording: the spikes after them come out right only if the "
        "neuron did fire. They were lost in recording, transmission or writing."
    )
    evidence: dict[str, float | str] = {
        "lost": float(explanation.skipped), "fraction": fraction, "lacking": owner,
    }  # fmt: skip
    return Finding(Cause.SPIKES_DROPPED, sentence, evidence)


# --- what no trait explains ------------------------------------------------------------------


def _left_over(ours: Account, theirs: Account, course: Course) -> Finding:
    """Both sides follow the same model, and yet some spikes differ."""
    how = "recovers afterwards" if course.locked > 0.9 else "cascades through what follows"
    sentence = (
        "Marginal threshold crossings: both runs compute the same neuron "
        f"({percent(ours.fraction)} and {percent(theirs.fraction)} of the intervals come out "
        "right in the same way), but in "
        "a few steps the potential meets the threshold to within rounding errors; one run fires "
        f"there, the other a step later or not at all, and {how}. {course.sentence}. "
        "Nothing is wrong; allow for a few spikes with timing(window, fraction)."
    )
    evidence = {"explained_reference": ours.fraction, "explained_other": theirs.fraction,
                **course.evidence()}  # fmt: skip
    return Finding(Cause.MARGINAL_CROSSING, sentence, evidence)


def _one_sided(
    pair: Pair, ours: Account, theirs: Account, course: Course, said: bool
) -> list[Finding]:
    """One side follows the experiment, the other does not, or not quite."""
    of_other = ours.good
    bad, owner = (theirs, OWNERS[True]) if of_other else (ours, OWNERS[False])
    good = ours if of_other else theirs
    found: list[Finding] = []
    if bad.explanation.fits:
        fitted = _parameter(bad.explanation.fits, pair, bad, course, of_other)
        found += _with_course([fitted], course)
        if bad.explanation.fraction < 0.8:
            found.append(_rest(bad, owner))
        return found
    if said:
        return []
    if noisy(bad.condition) and course.similar and (bad.fraction < 0.35 or course.locked < 0.3):
        return [_noise(good, bad, owner, course)]
    return [_unknown(good, bad, owner, course)]


def _rest(bad: Account, owner: str) -> Finding:
    sentence = (
        f"That is not all: {percent(1 - bad.explanation.fraction)} of the {owner}'s intervals "
        "remain unexplained by any single parameter; several things differ at once."
    )
    return Finding(Cause.MIXED, sentence, {"explained": bad.explanation.fraction})


def _noise(good: Account, bad: Account, owner: str, course: Course) -> Finding:
    shared = (
        "The runs still have more in common than chance, so that a part of the noise (a frozen "
        "current) is the same. "
        if course.locked > 0.2
        else ""
    )
    sentence = (
        f"Different noise samples: the experiment's noise predicts {percent(good.fraction)} of the "
        f"intervals of one run but {percent(bad.fraction)} of the {owner}'s, no parameter makes "
        f"up for it, and the rates agree (ratio {course.ratio:.3g}). "
        f"{percent(course.matched)} of the spikes have a partner within 2 ms, "
        f"{percent(course.by_chance)} by chance. {shared}Compare runs of one seed, or use "
        "statistical(alpha)."
    )
    evidence = {"explained_reference": good.fraction, "explained": bad.fraction,
                "by_chance": course.by_chance, "ratio": course.ratio,
                **course.evidence()}  # fmt: skip
    return Finding(Cause.DIFFERENT_NOISE, sentence, evidence)


def _unknown(good: Account, bad: Account, owner: str, course: Course) -> Finding:
    sentence = (
        f"Unknown: the experiment predicts {percent(good.fraction)} of the intervals of one run "
        f"and {percent(bad.fraction)} of the {owner}'s, and no single parameter, habit of a "
        "simulator "
        f"or error in the recording accounts for it. The {owner} has {course.ratio:.3g} times as "
        f"many spikes. {course.sentence}."
    )
    evidence = {"explained": bad.fraction, "ratio": course.ratio, **course.evidence()}
    return Finding(Cause.UNKNOWN, sentence, evidence)
