"""Entry of the lab's own processes: ``python -m proving_ground PART``."""

from __future__ import annotations

import sys


def main(argv: list[str]) -> int:
    """Load only what the named part needs: ``ctl`` is called in the middle of a recovery."""
    part, rest = (argv[0], argv[1:]) if argv else ("", [])
    if part == "ctl":
        from proving_ground import ctl

        return ctl.main(rest)
    if part == "supervise":
        from proving_ground import supervisor

        return supervisor.main(rest)
    if part == "ledger":
        from proving_ground.ledger import serve

        return serve.main(rest)
    if part == "identity":
        from proving_ground.identity import serve as identity

        return identity.main(rest)
    if part == "identity-ctl":
        from proving_ground.identity import client

        return client.main(rest)
    if part == "caller":
        from proving_ground import caller

        return caller.main(rest)
    if part == "issue":
        from proving_ground import issue

        return issue.main(rest)
    if part == "attempt-start":
        from proving_ground import attempt

        return attempt.main(rest)
    if part == "audit":
        from proving_ground.ledger import audit_command

        return audit_command.main(rest)
    if part == "storage":
        from proving_ground.ledger import storage_command

        return storage_command.main(rest)
    if part == "migrate":
        from proving_ground.ledger import migrate

        return migrate.main(rest)
    if part == "slot":
        from proving_ground import slot

        return slot.main(rest)
    if part == "marks":
        from proving_ground import marks

        return marks.main(rest)
    if part == "damage":
        from proving_ground import damage

        return damage.main(rest)
    if part == "engine":
        from proving_ground.merkle import serve as engine

        return engine.main(rest)
    if part == "notify":
        from proving_ground.notify import provider

        return provider.main(rest)
    if part == "cross-sign":
        from proving_ground.ledger import cross_sign

        return cross_sign.main(rest)
    if part == "replay":
        from proving_ground.merkle import replay_command

        return replay_command.main(rest)
    parts = "ctl|supervise|ledger|migrate|slot|marks|damage"
    parts += "|identity|identity-ctl|caller|issue|attempt-start|audit|storage"
    parts += "|engine|notify|replay|cross-sign"
    print(f"usage: python -m proving_ground {parts} ...", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
