"""The dashboard, the alert rules and the document name the metrics that there are."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from eventhus_otel.metrics import METRICS, Metric

ROOT = Path(__file__).parents[3]
DASHBOARD = ROOT / "docs/operations/grafana-dashboard.json"
ALERTS = ROOT / "docs/operations/prometheus-alerts.yaml"
NAME = re.compile(r"\b(?:eventhus|messaging|error)_[a-z_]+")

LABELS = {name.replace(".", "_") for metric in METRICS for name in metric.attributes}


def series_of(metric: Metric) -> set[str]:
    """The names of the time series that Prometheus makes of a metric.

    It takes underscores for dots, appends the unit unless that is in braces, and marks counters.
    """
    name = metric.name.replace(".", "_") + ("_seconds" if metric.unit == "s" else "")
    match metric.kind:
        case "counter":
            return {f"{name}_total"}
        case "histogram":
            return {f"{name}_bucket", f"{name}_count", f"{name}_sum"}
        case "gauge":
            return {name}


SERIES = {name: metric for metric in METRICS for name in series_of(metric)}


def expressions_of_the_dashboard() -> list[str]:
    dashboard: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    targets = [target for panel in dashboard["panels"] for target in panel.get("targets", ())]
    variables = [each["query"] for each in dashboard["templating"]["list"]]
    return [
        *[target["expr"] for target in targets],
        *[query["query"] for query in variables if isinstance(query, dict)],
    ]


def expressions_of_the_alerts() -> list[str]:
    """Return the expressions of the rules: up to the next key, one level further out."""
    text = ALERTS.read_text(encoding="utf-8")
    return re.findall(r"^        expr:(.*?)^        \w+:", text, re.MULTILINE | re.DOTALL)


EXPRESSIONS = {"dashboard": expressions_of_the_dashboard(), "alerts": expressions_of_the_alerts()}


def unknown(expressions: Iterable[str]) -> set[str]:
    """The names in expressions that belong to no metric and to no attribute of theirs."""
    strange: set[str] = set()
    for expression in expressions:
        names = set(NAME.findall(expression))
        metrics = [SERIES[name] for name in names & SERIES.keys()]
        known = {key.replace(".", "_") for metric in metrics for key in metric.attributes}
        strange |= names - SERIES.keys() - known
    return strange


@pytest.mark.parametrize("file", EXPRESSIONS)
def test_every_name_is_that_of_a_metric_or_of_one_of_its_attributes(file: str) -> None:
    assert EXPRESSIONS[file]
    assert set() == unknown(EXPRESSIONS[file])


def test_a_wrong_name_is_found() -> None:
    assert {"eventhus_reader_gap"} == unknown(["max(eventhus_reader_gap)"])
    assert {"eventhus_stream_type"} == unknown(
        ["sum by (eventhus_stream_type) (eventhus_reader_lag)"]
    )


def test_the_dashboard_shows_every_metric() -> None:
    text = " ".join(EXPRESSIONS["dashboard"])
    shown = {SERIES[name].name for name in NAME.findall(text) if name in SERIES}
    assert {each.name for each in METRICS} == shown


def test_the_labels_in_the_texts_of_alerts_are_those_of_their_expressions() -> None:
    rules = ALERTS.read_text(encoding="utf-8").split("- alert:")[1:]
    assert len(rules) == len(EXPRESSIONS["alerts"])
    for rule, expression in zip(rules, EXPRESSIONS["alerts"], strict=True):
        told = set(re.findall(r"\$labels\.(\w+)", rule))
        assert told
        assert told <= {*NAME.findall(expression)}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_the_document_names_every_metric_with_its_unit_and_attributes(metric: Metric) -> None:
    document = (ROOT / "docs/telemetry.md").read_text(encoding="utf-8")
    [row] = [line for line in document.splitlines() if line.startswith(f"| `{metric.name}` |")]
    _, _, kind, unit, _, attributes, _ = (cell.strip() for cell in row.split("|"))
    assert (metric.kind, f"`{metric.unit}`") == (kind, unit)
    assert [f"`{name}`" for name in metric.attributes] == attributes.split(", ")


def test_the_document_names_no_metric_that_there_is_not() -> None:
    document = (ROOT / "docs/telemetry.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (?:counter|gauge|histogram) \|", document, re.MULTILINE)
    assert [each.name for each in METRICS] == rows
