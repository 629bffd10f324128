"""Limits that all workers share, and the turns of calls under them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the two tables."""
    op.create_table(
        "limit_meter",
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("booked", sa.Double, nullable=False),
        sa.Column("started", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_limit_meter"),
    )
    op.create_table(
        "limit_turn",
        sa.Column("call", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("asked_at", sa.Double, nullable=False),
        sa.Column("due_at", sa.Double),
        sa.Column("moved", sa.Boolean, nullable=False),
        sa.Column("calls", sa.BigInteger, nullable=False),
        sa.Column("held_until", sa.Double, nullable=False),
        sa.Column("looks_until", sa.Double, nullable=False),
        sa.Column("expires_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("call", name="pk_limit_turn"),
    )
    op.create_index("ix_limit_turn_tool_held_until", "limit_turn", ["tool", "held_until"])
    op.create_index("ix_limit_turn_key_expires_at", "limit_turn", ["key", "expires_at"])


def downgrade() -> None:
    """Drop the two tables."""
    op.drop_table("limit_turn")
    op.drop_table("limit_meter")
