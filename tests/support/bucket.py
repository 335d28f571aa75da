"""An S3 server in a process of its own, and a proxy before it that answers badly on purpose."""

import contextlib
import http.client
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

VARIABLES = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}
Fault = Callable[[int], str]  # number of the request -> "" or one of "503", "cut", "away"


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Yield the address of an S3 server that holds what it is given in memory, with a bucket called `bucket`."""
    program = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", "0"]
    process = subprocess.Popen(program, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    line = next(line for line in process.stderr if "Running on http" in line)
    drain = threading.Thread(target=process.stderr.read, daemon=True)  # else the pipe fills and the server stops
    drain.start()
    address = line.split("Running on ")[1].split()[0]
    try:
        make_bucket(address, "bucket")
        yield address
    finally:
        process.kill()
        process.wait()
        drain.join()
        process.stderr.close()


def make_bucket(address: str, name: str) -> None:
    urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT")).close()


@contextlib.contextmanager
def faulty(address: str, fault: Fault) -> Iterator[str]:
    """Yield the address of a proxy that answers a request as `fault` says of its number."""
    numbers = count()
    behind = urlsplit(address)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            wrong = fault(next(numbers))
            if wrong == "away":
                self.close_connection = True
                return
            if wrong == "503":
                self.send_response(503)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            onward = http.client.HTTPConnection(behind.hostname, behind.port, timeout=60)
            onward.request(self.command, self.path, body, dict(self.headers))
            got = onward.getresponse()
            content = got.read()
            self.send_response(got.status)
            for name, value in got.getheaders():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "date", "server"):
                    self.send_header(name, value)
            length = got.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            if wrong == "cut" and content:
                content, self.close_connection = content[: len(content) // 2], True
            self.wfile.write(content)
            onward.close()

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

        def log_message(self, *given: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *given: object) -> None:
            """Keep quiet about clients that hang up."""

    proxy = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}"
    finally:
        proxy.shutdown()
        proxy.server_close()
