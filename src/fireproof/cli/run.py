"""``fireproof run``: the guardian's side loads only the standard library."""

from __future__ import annotations

import gc
import sys

from fireproof.cli.settings import RunSettings, parse_run


def main(argv: list[str]) -> int | None:
    """Exit code of the run; None when the call needs click to answer (help, usage errors)."""
    settings = parse_run(argv)
    if settings is None:
        return None
    if settings.with_lab:
        from fireproof.cli.with_lab import run_with_lab

        return run_with_lab([settings])
    return guarded(settings)


def guarded(settings: RunSettings) -> int:
    """Fork the signer and the runner, and answer for their end."""
    gc.disable()  # importing makes no garbage worth a collection
    from fireproof import expiry
    from fireproof.evidence.layout import EvidenceRoot
    from fireproof.evidence.signer import start_signer
    from fireproof.guard.folder import RunFolder, new_run_id
    from fireproof.guard.guardian import supervise, sweep

    evidence = settings.evidence.absolute()
    sweep(evidence)
    folder = RunFolder(evidence / "runs" / new_run_id())
    expiry.start_keeper()  # before anybody here becomes a subreaper: it is to outlive us

    def runner() -> int:
        from fireproof.cli.runner import run

        return run(settings, folder, signer)

    sys.stdout.flush()
    signer = start_signer(EvidenceRoot(evidence))  # imports its crypto on the other core
    code = supervise(folder, runner, between=signer.release)
    signer.close()
    return code
