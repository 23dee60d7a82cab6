"""Reads OpenMetrics from standard input with the reference parser of prometheus-client, which
raises on anything that the specification forbids, and writes what it understood as JSON: a list of
[family type, sample name, labels, value]."""
import json
import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

text = sys.stdin.buffer.read().decode("utf-8")
samples = [
    [family.type, sample.name, sample.labels, repr(float(sample.value))]
    for family in text_string_to_metric_families(text)
    for sample in family.samples
]
json.dump(samples, sys.stdout)
