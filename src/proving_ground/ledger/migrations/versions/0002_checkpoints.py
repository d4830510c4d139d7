"""See ``../sql``: one file up, one file down."""

from proving_ground.ledger.migrations import step

revision, down_revision, upgrade, downgrade = step(__file__)
