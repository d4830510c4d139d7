"""``digest``: what a database holds, as one sha256 a query, all in one snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field, model_validator

from fireproof.model.drill import Name, StepParams
from fireproof.model.ports import StepContext, StepResult
from fireproof.steps.ask import ask
from fireproof.steps.outputs import collect, fill, one_line, outputs_folder
from fireproof.steps.sql import dsn_of


class DigestParams(StepParams):
    """``{digest: before, on: ledger-db, queries: {accounts: SELECT … ORDER BY …}}``."""

    digest: Name
    on: Name
    queries: Mapping[Name, str] = Field(min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _saved_under_its_own_name(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("save") is None and "digest" in data:
            return data | {"save": data["digest"]}
        return data


class Digest:
    """Streams each query through sha256; the rows never rest in memory."""

    kind = "digest"
    params: type[StepParams] = DigestParams

    def run(self, params: DigestParams, context: StepContext) -> StepResult:
        queries = {label: fill(query, context) for label, query in params.queries.items()}
        request = {"what": "digest", "dsn": dsn_of(params.on, context), "queries": queries}
        told = ask("fireproof.steps.database", request, context)
        digests = told.get("digests")
        if not digests:
            seen = told.get("error") or "no answer in time"
            return StepResult(False, one_line(f"no digest of {params.on}: {seen}"))
        text = json.dumps(digests, sort_keys=True, separators=(",", ":"))
        (outputs_folder(context) / "digest.json").write_text(text, "utf-8")
        rows = sum(one["rows"] for one in digests.values())
        detail = f"{params.on}: {len(digests)} queries, {rows} rows"
        files, _ = collect(context)
        return StepResult(True, detail, saved=text, files=files)
