"""What a task says of what it made: small enough for Airflow's own database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from include.corral.corral import Corral
    from include.corral.report import Report

PATHS_AT_MOST = 20


def summary(corral: Corral, report: Report) -> dict[str, Any]:
    """Give counts, and the first products' paths below the products' root, as JSON types."""
    return {
        "step": report.step,
        "partition": report.partition,
        "step_run_id": report.step_run_id,
        "done": report.done,
        "failed": report.failed,
        "failed_before": len(report.standing),
        "rows": dict(report.outputs),
        "partitions": sorted(report.partitions)[-PATHS_AT_MOST:],
        "products": _paths(corral, report) if report.outputs.get("product") else [],
        "seconds": round(report.seconds, 3),
    }


def _paths(corral: Corral, report: Report) -> list[str]:
    from sqlalchemy import select

    from models.product import Product
    from models.work import UnitRun

    query = (
        select(Product.path)
        .join(UnitRun, Product.unit_run_id == UnitRun.id)
        .where(UnitRun.step_run_id == report.step_run_id)
        .order_by(Product.id)
        .limit(PATHS_AT_MOST)
    )
    with corral.read() as session:
        return [str(path) for path in session.scalars(query)]
