"""What sweeps have seen.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "observation",
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=1024), nullable=False),
        sa.Column("stamp", sa.String(length=200), nullable=False),
        sa.Column("step_run_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_run_id"], ["step_run.id"], name=op.f("fk_observation_step_run_id_step_run")
        ),
        sa.PrimaryKeyConstraint("topic", "key", name=op.f("pk_observation")),
    )


def downgrade() -> None:
    op.drop_table("observation")
