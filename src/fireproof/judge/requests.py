"""A load's samples: read strictly, held against the schedule, cut to a window."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fireproof.errors import MalformedError
from fireproof.judge.recovery import MAX_LATENESS_NS
from fireproof.judge.story import CannotTell, Story
from fireproof.judge.words import many
from fireproof.model.load import During, Load, Observed
from fireproof.model.profile import offsets_ns
from fireproof.model.sample import LOAD_COLUMNS

NEEDS = "these samples are Parquet; to read them: pip install 'fireproof[samples]'"
_OUTCOMES = ("good", "bad", "timeout", "error", "not-sent")
_ROUNDING_NS = 2_000  # due times are stored whole; another machine's last digit may differ


@dataclass(frozen=True, slots=True)
class Sent:
    """Requests of one load that were sent, as arrays in the order of their due times."""

    due_ns: Any
    late_us: Any
    latency_us: Any
    status: Any
    good: Any  # True where the outcome is good
    scenario: Any  # index into the names
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.due_ns)

    def where(self, chosen: Any) -> Sent:
        """Those that a mask chooses."""
        return Sent(
            self.due_ns[chosen],
            self.late_us[chosen],
            self.latency_us[chosen],
            self.status[chosen],
            self.good[chosen],
            self.scenario[chosen],
            self.names,
        )


@dataclass(frozen=True, slots=True)
class LoadSamples:
    """Everything a load left behind."""

    sent: Sent
    unsent: int
    doubt: str  # why the measurement says nothing about the system; empty when it is sound
    lateness_p99_us: int | None


def read_load(name: str, load: Load, story: Story) -> LoadSamples:
    """The samples of a load that was stopped in order.

    Raises:
        CannotTell: when it was not, or its files are not there.
        MalformedError: when a file is not what it claims to be.
    """
    known: LoadSamples | None = story.memory.get(name)
    if known is not None:
        return known
    starts = [record.data for record in story.of("load-start") if record.data["load"] == name]
    stops = [record.data for record in story.of("load-stop") if record.data["load"] == name]
    if not starts:
        raise CannotTell(f"no samples: load {name} was never started")
    if len(starts) > 1 or len(stops) > 1:
        raise CannotTell(f"load {name} was started or stopped more than once")
    if not stops or stops[0]["clean"] is not True:
        raise CannotTell(f"load {name} died, or lost its last samples")
    missing = [file for file in stops[0]["files"] if file not in story.samples]
    if missing or not stops[0]["files"]:
        raise CannotTell(f"no samples: {', '.join(missing) or name} is not there")
    table = _table([story.samples[file] for file in stops[0]["files"]])
    if len(table["due_ns"]) != stops[0]["rows"]:
        raise CannotTell(f"samples are missing: {len(table['due_ns'])} of {stops[0]['rows']}")
    found = _examined(table, load, starts[0]["start_ns"], stops[0]["slots"])
    story.memory[name] = found  # hours of requests are read once, however many objectives ask
    return found


def _table(parts: Sequence[bytes]) -> dict[str, Any]:
    """Columns of all parts together, in the order of due times."""
    try:
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise CannotTell(NEEDS) from None
    try:
        tables = [pq.read_table(io.BytesIO(part), use_threads=False) for part in parts]
        if any(tuple(one.column_names) != LOAD_COLUMNS for one in tables):
            raise MalformedError(f"load samples: expected the columns {', '.join(LOAD_COLUMNS)}")
        words = pa.dictionary(pa.int32(), pa.string())
        kinds = (pa.int64(), pa.int64(), pa.int64(), pa.int64(), words, words)
        schema = pa.schema(list(zip(LOAD_COLUMNS, kinds, strict=True)))
        whole = pa.concat_tables(one.cast(schema) for one in tables).unify_dictionaries()
        whole = whole.combine_chunks()
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MalformedError(f"load samples: not readable as Parquet: {first}") from None
    columns: dict[str, Any] = {}
    for column in LOAD_COLUMNS[:4]:
        filled = whole[column].fill_null(-1)
        columns[column] = np.asarray(filled.to_numpy(), dtype=np.int64)
    for column in LOAD_COLUMNS[4:]:
        chunk = whole[column].chunk(0) if whole.num_rows else None
        indices = chunk.indices.to_numpy(zero_copy_only=False) if chunk is not None else []
        columns[column] = np.asarray(indices, dtype=np.int64)
        columns[column + "s"] = tuple(chunk.dictionary.to_pylist()) if chunk is not None else ()
    order = np.argsort(columns["due_ns"], kind="stable")
    return {k: v if isinstance(v, tuple) else v[order] for k, v in columns.items()}


def _examined(table: dict[str, Any], load: Load, start_ns: int, slots: int) -> LoadSamples:
    import numpy as np

    unknown = [word for word in table["outcomes"] if word not in _OUTCOMES]
    if unknown:
        raise MalformedError(f"load samples: unknown outcome {unknown[0][:40]!r}")
    is_ = {word: table["outcome"] == number for number, word in enumerate(table["outcomes"])}
    none = np.zeros(len(table["due_ns"]), dtype=bool)
    unsent = is_.get("not-sent", none)
    late, latency = table["late_us"], table["latency_us"]
    if bool(np.any(unsent != (late < 0))) or bool(np.any((latency < late) & ~unsent)):
        raise MalformedError("load samples: a row contradicts itself")
    sent = Sent(
        table["due_ns"],
        late,
        latency,
        table["status"],
        is_.get("good", none),
        table["scenario"],
        table["scenarios"],
    ).where(~unsent)
    p99 = int(nearest_rank(sent.late_us, 99)) if len(sent) else None
    doubt = _off_schedule(table["due_ns"], load, start_ns, slots)
    if not doubt and (count := int(np.sum(unsent))):
        doubt = (
            f"measurement invalid: {many(count, 'request was', 'requests were')} never sent: every "
            "user was busy, or the generator too slow"
        )
    if not doubt and p99 is not None and p99 * 1000 > MAX_LATENESS_NS:
        doubt = (
            f"measurement invalid: the generator was late, p99 {p99 / 1000:.1f} ms of at most 10 ms"
        )
    if not doubt and not len(sent):
        doubt = "no samples: the load sent nothing"
    return LoadSamples(sent, int(np.sum(unsent)), doubt, p99)


def _off_schedule(due_ns: Any, load: Load, start_ns: int, slots: int) -> str:
    """Whether a slot has no row, or a row no slot: due times are known from the plan."""
    import numpy as np

    if len(due_ns) != slots:
        return f"measurement invalid: {slots} requests came due and {len(due_ns)} have a row"
    planned = np.fromiter(offsets_ns(load.shape()), dtype=np.int64) + start_ns
    if not len(due_ns):
        return ""
    # Rounded, another machine's due time may lie just before or just after ours.
    slot = np.searchsorted(planned, due_ns - _ROUNDING_NS)
    slot = np.minimum(slot, len(planned) - 1)
    other = bool(np.any(np.abs(planned[slot] - due_ns) > _ROUNDING_NS))
    if other or len(np.unique(slot)) != len(slot):
        return "measurement invalid: requests were due at other times than the profile says"
    missing = np.setdiff1d(np.arange(slot[-1] + 1), slot)
    # Workers stop one after the other: only the last second may be anyone's.
    ending_ns = due_ns[-1] - (10**9 if load.workers > 1 else 0)
    if bool(np.any(planned[missing] < ending_ns)):
        return "measurement invalid: requests of the profile have no row"
    return ""


def nearest_rank(values: Any, per_cent: float) -> int:
    """The smallest value that at least this share of all values does not exceed."""
    import numpy as np

    rank = max(1, -(-len(values) * round(per_cent * 10) // 1000))
    return int(np.partition(values, rank - 1)[rank - 1])


def in_window(sent: Sent, objective: Observed, story: Story) -> Sent:
    """Requests that were due in an objective's part of the drill.

    Raises:
        CannotTell: when the drill never got that far.
    """
    lo, hi = window_ns(objective.during, story)
    chosen = sent.due_ns >= lo
    found = sent.where(chosen if hi is None else chosen & (sent.due_ns < hi))
    if not len(found):
        return found
    since_ns = found.due_ns - found.due_ns[0]
    chosen = since_ns >= objective.after
    return found.where(chosen if objective.until is None else chosen & (since_ns < objective.until))


def window_ns(during: During, story: Story) -> tuple[int, int | None]:
    """From and to, the latter None for the end."""
    if during == "drill":
        return 0, None
    harm = story.phase_start_ns("fault")
    injected = next(story.of("injected"), None)
    harm = injected.data["before_ns"] if injected else harm
    if during == "baseline":
        return 0, harm
    recovered = story.recovery()
    if during == "fault":
        if injected is None:
            raise CannotTell("no fault was injected")
        return injected.data["before_ns"], recovered.mono_ns if recovered else None
    if recovered is None:
        raise CannotTell("recovery was never declared")
    return recovered.mono_ns, None


def of_scenario(sent: Sent, scenario: str | None) -> Sent:
    """Requests of one scenario, or all.

    Raises:
        CannotTell: when the load had no such scenario.
    """
    if scenario is None:
        return sent
    if scenario not in sent.names:
        raise CannotTell(f"the load had no request of scenario {scenario!r}")
    return sent.where(sent.scenario == sent.names.index(scenario))
