"""An endpoint that misbehaves on purpose: a real HTTP server in a thread of the test."""

import itertools
import json
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server:
    """Answers "echo: <question>". `faults` holds what goes wrong before that, in order, for each question."""

    def __init__(self):
        self.faults: dict[str, list[str]] = {}
        self.every_other: list[str] = []
        """Faults of the first attempt at every question in turn; "" is none."""
        self.always: dict[str, str] = {}
        """A fault of every attempt at a question."""
        self.raw: dict[str, list[bytes]] = {}
        """Bodies that it sends first, in order, for each question, with status 200."""
        self.says: dict[str, str] = {}
        """What it answers instead of the echo."""
        self.takes_no: dict[str, str] = {}
        """Parameters that its model does not take, with what OpenAI's servers say then."""
        self.checks_keys = False
        """Refuses an Idempotency-Key that comes with another body."""
        self.body_of: dict[str, dict] = {}
        self.bodies: list[dict] = []
        self.delay_s = 0.0
        self.delays: dict[str, float] = {}
        """Of single questions, in place of it."""
        self.counts_tokens = True
        self.answered: Counter = Counter()
        self.tried: Counter = Counter()
        self.headers: list[dict] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        self._turn = itertools.count()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._server.handle_error = lambda *_: None  # a killed client cuts its connections
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def next_fault(self, question: str) -> str:
        with self._lock:
            self.tried[question] += 1
            if self.every_other and self.tried[question] == 1:
                self.faults[question] = [self.every_other[next(self._turn) % len(self.every_other)]]
            waiting = self.faults.get(question)
            return waiting.pop(0) if waiting else self.always.get(question, "")

    def count(self, change: int) -> None:
        with self._lock:
            self._at_once += change
            self.most_at_once = max(self.most_at_once, self._at_once)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    owner: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.owner.count(1)
        self._is_counted = True
        try:
            self._answer()
        finally:
            self._count_down()

    def _count_down(self):
        if self._is_counted:
            self.owner.count(-1)
            self._is_counted = False

    def _answer(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"]
        self.owner.headers.append(dict(self.headers) | {"path": self.path})
        self.owner.bodies.append(body)
        time.sleep(self.owner.delays.get(question, self.owner.delay_s))
        if self.owner.checks_keys and self.owner.body_of.setdefault(self.headers["Idempotency-Key"], body) != body:
            self._send(409, b'{"error": {"message": "this key came with another body"}}')
            return
        if refused := next((name for name in self.owner.takes_no if name in body), None):
            error = {"message": self.owner.takes_no[refused], "type": "invalid_request_error", "param": refused}
            self._send(400, json.dumps({"error": error}).encode())
            return
        if self.owner.raw.get(question):
            self._send(200, self.owner.raw[question].pop(0))
            return
        match self.owner.next_fault(question).split(" ", 1):
            case ["cut"]:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{")
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
            case ["malformed"]:
                self._send(200, b'{"choices": [')
            case ["useless"]:
                self._send(200, b'{"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}')
            case ["empty"]:
                self._send(200, b'{"choices": []}')
            case ["gateway", status]:
                self._send(int(status), b"<html>Bad Gateway</html>")
            case ["hang"]:
                self.rfile.read(1)  # until the client leaves
                self.close_connection = True
            case ["retry-after", value]:
                self._send(429, b"{}", {"Retry-After": value})
            case [status] if status:
                self._send(int(status), json.dumps({"error": {"message": f"the server says {status}"}}).encode())
            case _:
                self.owner.answered[question] += 1
                self._send(200, self._completion(question, body["seed"]))

    def _send(self, status, body, headers=None):
        self._count_down()  # who has the answer may ask the next before this thread goes on
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass

    def _completion(self, question, tokens):
        text = self.owner.says.get(question, f"echo: {question}")
        said = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
        if self.owner.counts_tokens:
            said["usage"] = {"prompt_tokens": 3, "completion_tokens": tokens}
        return json.dumps(said).encode()
