"""The schema of the first release.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op

import models.columns

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dedup_key", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("context", models.columns.Json, nullable=False),
        sa.Column("channels", models.columns.Json, nullable=False),
        sa.Column("cool_down_s", sa.Float(), nullable=True),
        sa.Column("created_at", models.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_alert_dedup_key")),
    )
    op.create_index("ix_alert_topic_created_at", "alert", ["topic", "created_at"], unique=False)

    op.create_table(
        "ccd",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("brand", sa.String(length=100), nullable=True),
        sa.Column("model", sa.String(length=100), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("xpixsize", sa.Integer(), nullable=True),
        sa.Column("ypixsize", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ccd")),
        sa.UniqueConstraint("name", name=op.f("uq_ccd_name")),
    )
    op.create_table(
        "channel_state",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", models.columns.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_channel_state")),
    )
    op.create_table(
        "correction_list",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("read_at", models.columns.UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction_list")),
    )
    op.create_table(
        "delivery_attempt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("message_id", sa.String(length=100), nullable=False),
        sa.Column("alerts", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("begun_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery_attempt")),
    )
    op.create_index(
        "ix_delivery_attempt_channel_begun_at",
        "delivery_attempt",
        ["channel", "begun_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_delivery_attempt_message_id"), "delivery_attempt", ["message_id"], unique=False
    )
    op.create_index(
        "ix_delivery_attempt_sending",
        "delivery_attempt",
        ["channel"],
        unique=False,
        sqlite_where=sa.text("outcome = 'sending'"),
        postgresql_where=sa.text("outcome = 'sending'"),
    )

    op.create_table(
        "due",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("step", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_due")),
    )
    op.create_index("ix_due_step_source_row_id", "due", ["step", "source", "row_id"], unique=False)

    op.create_table(
        "observatory",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=False),
        sa.Column("longitude", sa.Float(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_observatory")),
        sa.UniqueConstraint("name", name=op.f("uq_observatory_name")),
    )
    op.create_table(
        "planned",
        sa.Column("step", sa.String(length=100), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=64), nullable=False),
        sa.Column("uses_from", models.columns.UtcDateTime(), nullable=True),
        sa.Column("uses_until", models.columns.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("step", "partition", name=op.f("pk_planned")),
    )
    op.create_table(
        "silence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column("created_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("until", models.columns.UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_silence")),
    )
    op.create_table(
        "step_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("parameters", models.columns.Json, nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("dag_id", sa.String(length=250), nullable=True),
        sa.Column("run_id", sa.String(length=250), nullable=True),
        sa.Column("task_id", sa.String(length=250), nullable=True),
        sa.Column("map_index", sa.Integer(), nullable=False),
        sa.Column("try_number", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=250), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_key", sa.String(length=64), nullable=False),
        sa.Column("software", models.columns.Json, nullable=False),
        sa.Column("started_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("lease_until", models.columns.UtcDateTime(), nullable=False),
        sa.Column("ended_at", models.columns.UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step_run")),
    )
    op.create_index("ix_step_run_partition", "step_run", ["partition", "step"], unique=False)
    op.create_index(
        "ix_step_run_running",
        "step_run",
        ["step"],
        unique=False,
        sqlite_where=sa.text("outcome = 'running'"),
        postgresql_where=sa.text("outcome = 'running'"),
    )

    op.create_table(
        "subscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint(
            "source", "kind", "step", name=op.f("uq_subscription_source_kind_step")
        ),
    )
    op.create_index(op.f("ix_subscription_step"), "subscription", ["step"], unique=False)

    op.create_table(
        "campaign",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("observatory_id", sa.Integer(), nullable=False),
        sa.Column("ccd_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["ccd_id"], ["ccd.id"], name=op.f("fk_campaign_ccd_id_ccd")),
        sa.ForeignKeyConstraint(
            ["observatory_id"],
            ["observatory.id"],
            name=op.f("fk_campaign_observatory_id_observatory"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("name", name=op.f("uq_campaign_name")),
    )
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Integer(), nullable=False),
        sa.Column("channel", sa.String(length=100), nullable=False),
        sa.Column("urgency", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("attempt_id", sa.Integer(), nullable=True),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("not_before", models.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["alert_id"], ["alert.id"], name=op.f("fk_delivery_alert_id_alert")
        ),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["delivery_attempt.id"],
            name=op.f("fk_delivery_attempt_id_delivery_attempt"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("alert_id", "channel", name=op.f("uq_delivery_alert_id_channel")),
    )
    op.create_index(op.f("ix_delivery_attempt_id"), "delivery", ["attempt_id"], unique=False)
    op.create_index(
        "ix_delivery_pending",
        "delivery",
        ["channel", "urgency", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending'"),
        postgresql_where=sa.text("status = 'pending'"),
    )
    op.create_index(
        "ix_delivery_tried",
        "delivery",
        ["channel", "attempt_id"],
        unique=False,
        sqlite_where=sa.text("status = 'pending' AND attempt_id IS NOT NULL"),
        postgresql_where=sa.text("status = 'pending' AND attempt_id IS NOT NULL"),
    )

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
    op.create_table(
        "unit",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("partition", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("row_ids", models.columns.Json, nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lost", sa.Integer(), nullable=False),
        sa.Column("step_run_id", sa.Integer(), nullable=True),
        sa.Column("claimed_at", models.columns.UtcDateTime(), nullable=True),
        sa.Column("failure_class", sa.String(length=32), nullable=True),
        sa.Column("retry_at", models.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["step_run_id"], ["step_run.id"], name=op.f("fk_unit_step_run_id_step_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("step", "key", name=op.f("uq_unit_step_key")),
    )
    op.create_index(
        "ix_unit_claimed",
        "unit",
        ["step", "partition", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'claimed'"),
        postgresql_where=sa.text("status = 'claimed'"),
    )
    op.create_index(
        "ix_unit_failed",
        "unit",
        ["step", "partition", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'failed'"),
        postgresql_where=sa.text("status = 'failed'"),
    )
    op.create_index(
        "ix_unit_open",
        "unit",
        ["step", "partition", "id"],
        unique=False,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )

    op.create_table(
        "night",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_night_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_night")),
        sa.UniqueConstraint("campaign_id", "date", name=op.f("uq_night_campaign_id_date")),
    )
    op.create_index(op.f("ix_night_date"), "night", ["date"], unique=False)

    op.create_table(
        "unit_row",
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("row_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_unit_row_unit_id_unit")),
        sa.PrimaryKeyConstraint("unit_id", "row_id", name=op.f("pk_unit_row")),
    )
    op.create_index(op.f("ix_unit_row_row_id"), "unit_row", ["row_id"], unique=False)

    op.create_table(
        "unit_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("step_run_id", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("failure_class", sa.String(length=32), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("associations", models.columns.Json, nullable=True),
        sa.Column("ended_at", models.columns.UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["step_run_id"], ["step_run.id"], name=op.f("fk_unit_run_step_run_id_step_run")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_unit_run_unit_id_unit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit_run")),
    )
    op.create_index(op.f("ix_unit_run_step_run_id"), "unit_run", ["step_run_id"], unique=False)
    op.create_index(op.f("ix_unit_run_unit_id"), "unit_run", ["unit_id"], unique=False)

    op.create_table(
        "frame",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("pixel_sha256", sa.String(length=64), nullable=True),
        sa.Column("path", models.columns.RelPath(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("hdu", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("read_by", sa.String(length=64), nullable=False),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("ra_deg", sa.Float(), nullable=True),
        sa.Column("dec_deg", sa.Float(), nullable=True),
        sa.Column("airmass", sa.Float(), nullable=True),
        sa.Column("flags", models.columns.Json, nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("set_aside", sa.String(length=16), nullable=True),
        sa.Column("superseded_by_id", sa.Integer(), nullable=True),
        sa.Column("same_pixels_as_id", sa.Integer(), nullable=True),
        sa.Column("loaded_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=True),
        sa.Column("night_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("binning", sa.String(length=16), nullable=False),
        sa.Column("readout", sa.String(length=100), nullable=True),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("exptime_s", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["night_id"], ["night.id"], name=op.f("fk_frame_night_id_night")),
        sa.ForeignKeyConstraint(
            ["same_pixels_as_id"], ["frame.id"], name=op.f("fk_frame_same_pixels_as_id_frame")
        ),
        sa.ForeignKeyConstraint(
            ["superseded_by_id"], ["frame.id"], name=op.f("fk_frame_superseded_by_id_frame")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_frame")),
        sa.UniqueConstraint("sha256", name=op.f("uq_frame_sha256")),
    )
    op.create_index("ix_frame_instrument_read_by", "frame", ["instrument", "read_by"], unique=False)
    op.create_index("ix_frame_night_id_kind", "frame", ["night_id", "kind"], unique=False)
    op.create_index(op.f("ix_frame_pixel_sha256"), "frame", ["pixel_sha256"], unique=False)

    op.create_table(
        "product",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("step", sa.String(length=100), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("path", models.columns.RelPath(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=True),
        sa.Column("metrics", models.columns.Json, nullable=False),
        sa.Column("flags", models.columns.Json, nullable=False),
        sa.Column("superseded_by_id", sa.Integer(), nullable=True),
        sa.Column("made_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("night_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("binning", sa.String(length=16), nullable=False),
        sa.Column("readout", sa.String(length=100), nullable=True),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("exptime_s", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["night_id"], ["night.id"], name=op.f("fk_product_night_id_night")),
        sa.ForeignKeyConstraint(
            ["superseded_by_id"], ["product.id"], name=op.f("fk_product_superseded_by_id_product")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_product_unit_id_unit")),
        sa.ForeignKeyConstraint(
            ["unit_run_id"], ["unit_run.id"], name=op.f("fk_product_unit_run_id_unit_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product")),
    )
    op.create_index("ix_product_kind_observed_at", "product", ["kind", "observed_at"], unique=False)
    op.create_index("ix_product_night_id_kind", "product", ["night_id", "kind"], unique=False)
    op.create_index(op.f("ix_product_sha256"), "product", ["sha256"], unique=False)
    op.create_index(op.f("ix_product_unit_id"), "product", ["unit_id"], unique=False)
    op.create_index(op.f("ix_product_unit_run_id"), "product", ["unit_run_id"], unique=False)

    op.create_table(
        "rejection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("path", models.columns.RelPath(), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("night_id", sa.Integer(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.String(length=120), nullable=False),
        sa.Column("read_by", sa.String(length=64), nullable=False),
        sa.Column("rejected_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("again_at", models.columns.UtcDateTime(), nullable=True),
        sa.Column("resolved_at", models.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["night_id"], ["night.id"], name=op.f("fk_rejection_night_id_night")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejection")),
    )
    op.create_index(op.f("ix_rejection_night_id"), "rejection", ["night_id"], unique=False)
    op.create_index(op.f("ix_rejection_path"), "rejection", ["path"], unique=False)
    op.create_index(
        "uq_rejection_open_path",
        "rejection",
        ["path"],
        unique=True,
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )

    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("frame_id", sa.Integer(), nullable=False),
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=64), nullable=False),
        sa.Column("old", models.columns.Json, nullable=True),
        sa.Column("new", models.columns.Json, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("applied_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("withdrawn_at", models.columns.UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["frame_id"], ["frame.id"], name=op.f("fk_correction_frame_id_frame")
        ),
        sa.ForeignKeyConstraint(
            ["list_id"], ["correction_list.id"], name=op.f("fk_correction_list_id_correction_list")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(op.f("ix_correction_frame_id"), "correction", ["frame_id"], unique=False)
    op.create_index(
        "uq_correction_standing",
        "correction",
        ["frame_id", "field"],
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )

    op.create_table(
        "detection",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("difference_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("x_px", sa.Float(), nullable=False),
        sa.Column("y_px", sa.Float(), nullable=False),
        sa.Column("ra_deg", sa.Float(), nullable=True),
        sa.Column("dec_deg", sa.Float(), nullable=True),
        sa.Column("flux_e", sa.Float(), nullable=False),
        sa.Column("flux_err_e", sa.Float(), nullable=False),
        sa.Column("significance", sa.Float(), nullable=False),
        sa.Column("mag", sa.Float(), nullable=True),
        sa.Column("mag_err", sa.Float(), nullable=True),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("real", sa.Boolean(), nullable=False),
        sa.Column("doubts", models.columns.Json, nullable=False),
        sa.Column("stamps", sa.LargeBinary(), nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("night_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("binning", sa.String(length=16), nullable=False),
        sa.Column("readout", sa.String(length=100), nullable=True),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("exptime_s", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["difference_id"], ["product.id"], name=op.f("fk_detection_difference_id_product")
        ),
        sa.ForeignKeyConstraint(
            ["night_id"], ["night.id"], name=op.f("fk_detection_night_id_night")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_detection_unit_id_unit")),
        sa.ForeignKeyConstraint(
            ["unit_run_id"], ["unit_run.id"], name=op.f("fk_detection_unit_run_id_unit_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_detection")),
    )
    op.create_index(
        op.f("ix_detection_difference_id"), "detection", ["difference_id"], unique=False
    )
    op.create_index(
        "ix_detection_night_id_object", "detection", ["night_id", "object"], unique=False
    )
    op.create_index(op.f("ix_detection_unit_id"), "detection", ["unit_id"], unique=False)
    op.create_index(op.f("ix_detection_unit_run_id"), "detection", ["unit_run_id"], unique=False)

    op.create_table(
        "light_curve_point",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_name", sa.String(length=100), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("bjd_tdb", sa.Float(), nullable=True),
        sa.Column("flux_e", sa.Float(), nullable=True),
        sa.Column("flux_err_e", sa.Float(), nullable=True),
        sa.Column("relative_flux", sa.Float(), nullable=True),
        sa.Column("relative_flux_err", sa.Float(), nullable=True),
        sa.Column("mag", sa.Float(), nullable=True),
        sa.Column("mag_err", sa.Float(), nullable=True),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_light_curve_point_product_id_product")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_light_curve_point_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["unit_run_id"], ["unit_run.id"], name=op.f("fk_light_curve_point_unit_run_id_unit_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_light_curve_point")),
    )
    op.create_index(
        op.f("ix_light_curve_point_product_id"), "light_curve_point", ["product_id"], unique=False
    )
    op.create_index(
        "ix_light_curve_point_source_name",
        "light_curve_point",
        ["source_name", "observed_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_light_curve_point_unit_id"), "light_curve_point", ["unit_id"], unique=False
    )
    op.create_index(
        op.f("ix_light_curve_point_unit_run_id"), "light_curve_point", ["unit_run_id"], unique=False
    )

    op.create_table(
        "product_input",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.Column("frame_id", sa.Integer(), nullable=True),
        sa.Column("input_product_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(frame_id IS NULL) <> (input_product_id IS NULL)",
            name=op.f("ck_product_input_one_input"),
        ),
        sa.ForeignKeyConstraint(
            ["frame_id"], ["frame.id"], name=op.f("fk_product_input_frame_id_frame")
        ),
        sa.ForeignKeyConstraint(
            ["input_product_id"],
            ["product.id"],
            name=op.f("fk_product_input_input_product_id_product"),
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_product_input_product_id_product")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_product_input")),
    )
    op.create_index(op.f("ix_product_input_frame_id"), "product_input", ["frame_id"], unique=False)
    op.create_index(
        op.f("ix_product_input_input_product_id"),
        "product_input",
        ["input_product_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_product_input_product_id"), "product_input", ["product_id"], unique=False
    )

    op.create_table(
        "quality_check",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("low", sa.Float(), nullable=True),
        sa.Column("high", sa.Float(), nullable=True),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_quality_check_product_id_product")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_quality_check_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["unit_run_id"], ["unit_run.id"], name=op.f("fk_quality_check_unit_run_id_unit_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_check")),
    )
    op.create_index(
        op.f("ix_quality_check_product_id"), "quality_check", ["product_id"], unique=False
    )
    op.create_index(op.f("ix_quality_check_unit_id"), "quality_check", ["unit_id"], unique=False)
    op.create_index(
        op.f("ix_quality_check_unit_run_id"), "quality_check", ["unit_run_id"], unique=False
    )

    op.create_table(
        "sighting",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("frame_id", sa.Integer(), nullable=False),
        sa.Column("path", models.columns.RelPath(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("inode", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["frame_id"], ["frame.id"], name=op.f("fk_sighting_frame_id_frame")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sighting")),
    )
    op.create_index(op.f("ix_sighting_frame_id"), "sighting", ["frame_id"], unique=False)
    op.create_index(op.f("ix_sighting_path"), "sighting", ["path"], unique=False)
    op.create_index(
        "uq_sighting_current_path",
        "sighting",
        ["path"],
        unique=True,
        sqlite_where=sa.text("current = 1"),
        postgresql_where=sa.text("current"),
    )

    op.create_table(
        "source_list",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("fwhm_px", sa.Float(), nullable=True),
        sa.Column("ellipticity", sa.Float(), nullable=True),
        sa.Column("psf_alpha_px", sa.Float(), nullable=False),
        sa.Column("psf_beta", sa.Float(), nullable=False),
        sa.Column("aperture_radius_px", sa.Float(), nullable=False),
        sa.Column("background_e", sa.Float(), nullable=True),
        sa.Column("background_rms_e", sa.Float(), nullable=True),
        sa.Column("width_px", sa.Integer(), nullable=False),
        sa.Column("height_px", sa.Integer(), nullable=False),
        sa.Column("ra_deg", sa.Float(), nullable=True),
        sa.Column("dec_deg", sa.Float(), nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("night_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("binning", sa.String(length=16), nullable=False),
        sa.Column("readout", sa.String(length=100), nullable=True),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("exptime_s", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["night_id"], ["night.id"], name=op.f("fk_source_list_night_id_night")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_source_list_product_id_product")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_source_list_unit_id_unit")),
        sa.ForeignKeyConstraint(
            ["unit_run_id"], ["unit_run.id"], name=op.f("fk_source_list_unit_run_id_unit_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_list")),
    )
    op.create_index(op.f("ix_source_list_product_id"), "source_list", ["product_id"], unique=False)
    op.create_index(op.f("ix_source_list_unit_id"), "source_list", ["unit_id"], unique=False)
    op.create_index(
        op.f("ix_source_list_unit_run_id"), "source_list", ["unit_run_id"], unique=False
    )

    op.create_table(
        "astrometric_solution",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_list_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("catalog", sa.String(length=200), nullable=False),
        sa.Column("solved", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("attempts", models.columns.Json, nullable=False),
        sa.Column("ra_deg", sa.Float(), nullable=True),
        sa.Column("dec_deg", sa.Float(), nullable=True),
        sa.Column("rms_arcsec", sa.Float(), nullable=True),
        sa.Column("matches", sa.Integer(), nullable=True),
        sa.Column("scale_arcsec_per_px", sa.Float(), nullable=True),
        sa.Column("rotation_deg", sa.Float(), nullable=True),
        sa.Column("mirrored", sa.Boolean(), nullable=True),
        sa.Column("wcs", models.columns.Json, nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("night_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("binning", sa.String(length=16), nullable=False),
        sa.Column("readout", sa.String(length=100), nullable=True),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("exptime_s", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["night_id"], ["night.id"], name=op.f("fk_astrometric_solution_night_id_night")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_astrometric_solution_product_id_product")
        ),
        sa.ForeignKeyConstraint(
            ["source_list_id"],
            ["source_list.id"],
            name=op.f("fk_astrometric_solution_source_list_id_source_list"),
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_astrometric_solution_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["unit_run_id"],
            ["unit_run.id"],
            name=op.f("fk_astrometric_solution_unit_run_id_unit_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_astrometric_solution")),
    )
    op.create_index(
        op.f("ix_astrometric_solution_product_id"),
        "astrometric_solution",
        ["product_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_astrometric_solution_source_list_id"),
        "astrometric_solution",
        ["source_list_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_astrometric_solution_unit_id"), "astrometric_solution", ["unit_id"], unique=False
    )
    op.create_index(
        op.f("ix_astrometric_solution_unit_run_id"),
        "astrometric_solution",
        ["unit_run_id"],
        unique=False,
    )

    op.create_table(
        "candidate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("best_detection_id", sa.Integer(), nullable=False),
        sa.Column("x_px", sa.Float(), nullable=False),
        sa.Column("y_px", sa.Float(), nullable=False),
        sa.Column("ra_deg", sa.Float(), nullable=True),
        sa.Column("dec_deg", sa.Float(), nullable=True),
        sa.Column("position_err_arcsec", sa.Float(), nullable=True),
        sa.Column("detections", sa.Integer(), nullable=False),
        sa.Column("searched", sa.Integer(), nullable=False),
        sa.Column("searched_sha256", sa.String(length=64), nullable=False),
        sa.Column("first_seen_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("last_seen_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("mag", sa.Float(), nullable=True),
        sa.Column("mag_err", sa.Float(), nullable=True),
        sa.Column("significance", sa.Float(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("known_as", sa.String(length=100), nullable=True),
        sa.Column("separation_arcsec", sa.Float(), nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("night_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("binning", sa.String(length=16), nullable=False),
        sa.Column("readout", sa.String(length=100), nullable=True),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("exptime_s", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["best_detection_id"],
            ["detection.id"],
            name=op.f("fk_candidate_best_detection_id_detection"),
        ),
        sa.ForeignKeyConstraint(
            ["night_id"], ["night.id"], name=op.f("fk_candidate_night_id_night")
        ),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_candidate_unit_id_unit")),
        sa.ForeignKeyConstraint(
            ["unit_run_id"], ["unit_run.id"], name=op.f("fk_candidate_unit_run_id_unit_run")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidate")),
    )
    op.create_index(
        op.f("ix_candidate_best_detection_id"), "candidate", ["best_detection_id"], unique=False
    )
    op.create_index(op.f("ix_candidate_name"), "candidate", ["name"], unique=False)
    op.create_index(op.f("ix_candidate_unit_id"), "candidate", ["unit_id"], unique=False)
    op.create_index(op.f("ix_candidate_unit_run_id"), "candidate", ["unit_run_id"], unique=False)

    op.create_table(
        "measurement",
        sa.Column("source_list_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("x_px", sa.Float(), nullable=False),
        sa.Column("y_px", sa.Float(), nullable=False),
        sa.Column("x_err_px", sa.Float(), nullable=True),
        sa.Column("y_err_px", sa.Float(), nullable=True),
        sa.Column("flux_psf_e", sa.Float(), nullable=True),
        sa.Column("flux_psf_err_e", sa.Float(), nullable=True),
        sa.Column("flux_aper_e", sa.Float(), nullable=True),
        sa.Column("flux_aper_err_e", sa.Float(), nullable=True),
        sa.Column("mag_psf", sa.Float(), nullable=True),
        sa.Column("mag_psf_err", sa.Float(), nullable=True),
        sa.Column("mag_aper", sa.Float(), nullable=True),
        sa.Column("mag_aper_err", sa.Float(), nullable=True),
        sa.Column("peak_e", sa.Float(), nullable=True),
        sa.Column("background_e", sa.Float(), nullable=True),
        sa.Column("fwhm_px", sa.Float(), nullable=True),
        sa.Column("ellipticity", sa.Float(), nullable=True),
        sa.Column("theta_deg", sa.Float(), nullable=True),
        sa.Column("area_px", sa.Integer(), nullable=False),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_list_id"],
            ["source_list.id"],
            name=op.f("fk_measurement_source_list_id_source_list"),
        ),
        sa.PrimaryKeyConstraint("source_list_id", "number", name=op.f("pk_measurement")),
    )
    op.create_table(
        "photometric_solution",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("astrometric_solution_id", sa.Integer(), nullable=False),
        sa.Column("product_id", sa.Integer(), nullable=False),
        sa.Column("instrument", sa.String(length=64), nullable=False),
        sa.Column("catalog", sa.String(length=200), nullable=False),
        sa.Column("calibrated", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("zero_point_mag", sa.Float(), nullable=True),
        sa.Column("zero_point_err_mag", sa.Float(), nullable=True),
        sa.Column("colour_term", sa.Float(), nullable=True),
        sa.Column("colour_term_err", sa.Float(), nullable=True),
        sa.Column("colour_pivot", sa.Float(), nullable=True),
        sa.Column("scatter_mag", sa.Float(), nullable=True),
        sa.Column("stars_used", sa.Integer(), nullable=True),
        sa.Column("stars_clipped", sa.Integer(), nullable=True),
        sa.Column("limiting_mag", sa.Float(), nullable=True),
        sa.Column("sky_mag_per_arcsec2", sa.Float(), nullable=True),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("unit_run_id", sa.Integer(), nullable=False),
        sa.Column("current", sa.Boolean(), nullable=False),
        sa.Column("night_id", sa.Integer(), nullable=False),
        sa.Column("camera", sa.String(length=100), nullable=False),
        sa.Column("binning", sa.String(length=16), nullable=False),
        sa.Column("readout", sa.String(length=100), nullable=True),
        sa.Column("filter", sa.String(length=64), nullable=True),
        sa.Column("exptime_s", sa.Float(), nullable=True),
        sa.Column("temperature_c", sa.Float(), nullable=True),
        sa.Column("observed_at", models.columns.UtcDateTime(), nullable=False),
        sa.Column("object", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["astrometric_solution_id"],
            ["astrometric_solution.id"],
            name=op.f("fk_photometric_solution_astrometric_solution_id_astrometric_solution"),
        ),
        sa.ForeignKeyConstraint(
            ["night_id"], ["night.id"], name=op.f("fk_photometric_solution_night_id_night")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["product.id"], name=op.f("fk_photometric_solution_product_id_product")
        ),
        sa.ForeignKeyConstraint(
            ["unit_id"], ["unit.id"], name=op.f("fk_photometric_solution_unit_id_unit")
        ),
        sa.ForeignKeyConstraint(
            ["unit_run_id"],
            ["unit_run.id"],
            name=op.f("fk_photometric_solution_unit_run_id_unit_run"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photometric_solution")),
    )
    op.create_index(
        op.f("ix_photometric_solution_astrometric_solution_id"),
        "photometric_solution",
        ["astrometric_solution_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_photometric_solution_product_id"),
        "photometric_solution",
        ["product_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_photometric_solution_unit_id"), "photometric_solution", ["unit_id"], unique=False
    )
    op.create_index(
        op.f("ix_photometric_solution_unit_run_id"),
        "photometric_solution",
        ["unit_run_id"],
        unique=False,
    )


def downgrade() -> None:

    op.drop_table("photometric_solution")
    op.drop_table("measurement")

    op.drop_table("candidate")

    op.drop_table("astrometric_solution")

    op.drop_table("source_list")

    op.drop_table("sighting")

    op.drop_table("quality_check")

    op.drop_table("product_input")

    op.drop_table("light_curve_point")

    op.drop_table("detection")

    op.drop_table("correction")

    op.drop_table("rejection")

    op.drop_table("product")

    op.drop_table("frame")

    op.drop_table("unit_run")

    op.drop_table("unit_row")

    op.drop_table("night")

    op.drop_table("unit")
    op.drop_table("observation")

    op.drop_table("delivery")
    op.drop_table("campaign")

    op.drop_table("subscription")

    op.drop_table("step_run")
    op.drop_table("silence")
    op.drop_table("planned")
    op.drop_table("observatory")

    op.drop_table("due")

    op.drop_table("delivery_attempt")
    op.drop_table("correction_list")
    op.drop_table("channel_state")
    op.drop_table("ccd")

    op.drop_table("alert")
