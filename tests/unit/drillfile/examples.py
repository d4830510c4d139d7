"""A small vocabulary and a whole drill for the tests of this folder; shapes as real steps have."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from fireproof.drillfile import Vocabulary
from fireproof.model.drill import FaultParams, Name, StepParams, Strict
from fireproof.model.quantity import Duration, Size
from fireproof.steps.manual import ManualParams

NAME = "backup-restore"


class Playbook(StepParams):
    playbook: str
    variables: Mapping[str, str] = {}


class Pytest(StepParams):
    pytest: str
    timeout: Duration = 2 * 60 * 10**9


class Expect(Strict):
    status: int = Field(default=200, ge=100, le=599)
    contains: str | None = None


class Http(StepParams):
    http: str
    expect: Expect = Expect()


class Sql(StepParams):
    sql: str | tuple[str, ...]
    dsn: str

    @field_validator("dsn")
    @classmethod
    def _no_password(cls, value: str) -> str:
        if "password=" in value:
            raise ValueError("expected a DSN without a password; name a passfile")
        return value


class Process(StepParams):
    process: tuple[str, ...] = Field(min_length=1)
    check: bool = True


class Check(StepParams):
    check: str
    within: Duration | None = None
    at_least: Size | None = None


class SameDigest(StepParams):
    same_digest: tuple[Name, ...] = Field(alias="same-digest", min_length=2, max_length=2)


class LoseDataDirectory(FaultParams):
    lose_data_directory: Name = Field(alias="lose-data-directory")


class Pause(FaultParams):
    pause: Name


CONTROLS = frozenset({"soc2:A1.3", "nist-800-53:CP-10", "iso27001:A.8.13", "nist-800-53:CP-9(1)"})
VOCABULARY = Vocabulary(
    steps={
        "playbook": Playbook,
        "pytest": Pytest,
        "http": Http,
        "sql": Sql,
        "process": Process,
        "check": Check,
        "same-digest": SameDigest,
        "manual": ManualParams,
    },
    faults={"lose-data-directory": LoseDataDirectory, "pause": Pause},
    controls=CONTROLS,
)

DRILL = """\
drill: backup-restore
title: Restore the ledger database from its backup in a fresh place
owner: no                        # a word, whatever YAML 1.1 says
kind: functional
cadence: P7D
components: [ledger-db]
hypothesis: Losing the data directory loses no acknowledged event.

probes:
  api:    {http: "{ledger-api.url}/readyz", every: 20ms, good: {status: 200, within: 250ms}}
  canary:
    acknowledged-writes: "{ledger-api.url}/v1/canary/events"
    rate: 50/s
    read-from: ledger-db
    query: SELECT key, body FROM canary

objectives:
  recovery-time: {rto: 2m, from: api, hold: 5s, controls: [soc2:A1.3, nist-800-53:CP-10]}
  data-loss:     {rpo: 0s, lost: 0, from: canary, controls: [iso27001:A.8.13]}
  content:       {checks: [test_restored, "same digest"], controls: [nist-800-53:CP-9(1)]}

preflight: [{check: backup-is-fresh, within: P1D}, {check: disk-free, at_least: 2GiB}]
baseline:
  for: 10s
  steps:
    - {playbook: playbooks/backup.yml, timeout: 3m, save: before}
    - process: [echo, "{saved.before}"]
      check: false
fault:     [{lose-data-directory: ledger-db, expires: 10m}]
recover:   [{playbook: playbooks/restore.yml, timeout: 5m, variables: {target: "15:00"}}]
verify:
  - {pytest: tests/restored}
  - {sql: [SELECT 1, SELECT 2], dsn: "{ledger-db.dsn}", save: after}
  - same-digest: [before, after]
  - {http: "{ledger-api.url}/readyz", expect: {contains: ready}}
refuse:    [{process: ["false"], title: a tampered backup}]
abort:     [{when: "canary.errors > 0 before fault"}]
"""

ENVIRONMENT = """\
environment: lab
class: embedded
components:
  ledger-db:
    kind: postgres
    dsn: host=127.0.0.1 port=5432
    port: 5432
    tls: off
    faults: [lose-data-directory, pause]
    control:
      stop: [pg_ctl, stop]
      start: [pg_ctl, start]
      pid-file: /run/pg.pid
  ledger-api: {kind: http, url: "http://127.0.0.1:8080"}
record: {postgres: "18.6"}
"""
