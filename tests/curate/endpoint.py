"""An OpenAI-compatible endpoint whose answers a test decides."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Endpoint:
    """Asks `answer(request, task)` for (text, finish_reason) of each request, as long as the block lasts.

    `task` is what stands after "Query:" in the last message; a finish_reason of "refused" becomes status 400.
    """

    def __init__(self, answer: Callable[[dict[str, Any], str], tuple[str, str]]):
        handler = type("Handler", (_Handler,), {"answer": staticmethod(answer)})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> "Endpoint":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    answer: Callable[[dict[str, Any], str], tuple[str, str]]
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text, ended = self.answer(request, request["messages"][-1]["content"].rpartition("\nQuery:\n")[2])
        body = json.dumps({"choices": [{"message": {"content": text}, "finish_reason": ended}]}).encode()
        self.send_response(400 if ended == "refused" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass
