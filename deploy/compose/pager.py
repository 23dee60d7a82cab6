"""Stands for the pagers and the ticket system: prints what Alertmanager sends, one line an alert.

    docker compose logs --follow pager

Alertmanager's generated receivers post to localhost:9099 (`[generate] receivers_url`), and this
service shares Alertmanager's network. At work, set `receivers_url` to what really pages people.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 9099
MOST_BYTES = 10_000_000


def lines(path, notification):
    """One line for each alert of a notification."""
    for alert in notification["alerts"]:
        labels, annotations = alert["labels"], alert["annotations"]
        place = " ".join(
            f"{name}={labels[name]}"
            for name in sorted(labels)
            if name not in ("alertname", "severity", "owner", "job", "level")
        )
        yield (
            f"{path.strip('/')}: {alert['status'].upper()} {labels['alertname']} {place}"
            f" | {annotations.get('summary', '')} | {annotations.get('runbook_url', '')}"
        )


class Pager(BaseHTTPRequestHandler):
    """POST takes a notification; GET tells that somebody is there."""

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > MOST_BYTES:
            self.answer(413)
            return
        try:
            for line in lines(self.path, json.loads(self.rfile.read(length))):
                print(line, flush=True)
        except (ValueError, KeyError, TypeError) as error:
            print(f"not a notification: {error!r}", flush=True)
            self.answer(400)
            return
        self.answer(200)

    def do_GET(self):
        self.answer(200)

    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """No line for each request: the alerts are what is read here."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", PORT), Pager).serve_forever()
