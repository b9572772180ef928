"""A real S3 server (S3Proxy over a directory) on a free loopback port, and a proxy before it that fails on demand."""
import http.client
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "servers"))
from servers import die_with_parent, free_port, maven_jars  # noqa: E402

CACHE = Path(os.environ.get("MILLRACE_CACHE", Path.home() / ".cache" / "millrace")) / "s3"
READY_S = 60
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDMILLRACE", "AWS_SECRET_ACCESS_KEY": "a/secret+of=tests"}
LOGBACK = """<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder>
<pattern>%d %level %logger %msg%n</pattern></encoder></appender>
<root level="warn"><appender-ref ref="out"/></root></configuration>
"""


class S3Server:
    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="millrace-s3-"))
        self.port = free_port()
        self.process = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        jars = maven_jars(HERE / "pom.xml", CACHE, "an S3 server (S3Proxy)")
        (self.directory / "objects").mkdir(exist_ok=True)
        (self.directory / "logback.xml").write_text(LOGBACK)
        (self.directory / "s3.properties").write_text(
            f"s3proxy.endpoint={self.endpoint}\ns3proxy.authorization=aws-v4\n"
            f"s3proxy.identity={KEYS['AWS_ACCESS_KEY_ID']}\ns3proxy.credential={KEYS['AWS_SECRET_ACCESS_KEY']}\n"
            f"jclouds.provider=filesystem-nio2\njclouds.filesystem.basedir={self.directory / 'objects'}\n")
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
                 f"-Dlogback.configurationFile={self.directory / 'logback.xml'}", "-cp", f"{jars}/*",
                 "org.gaul.s3proxy.Main", "--properties", str(self.directory / "s3.properties")],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise OSError("the S3 server did not start:\n" + (self.directory / "log").read_text()[-3000:])

    def bucket(self, name: str) -> Path:
        """Makes a bucket; its objects are the files in this directory."""
        path = self.directory / "objects" / name
        path.mkdir(exist_ok=True)
        return path

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class FaultyProxy:
    """Passes requests on, or answers as `fault` says: a function of method and path that names "503", "reset" (the
    connection ends before the request gets there), "lost" (… before the answer comes back), "slow" (half a second), or
    nothing."""

    def __init__(self, upstream_port: int, certificate=None):
        """`certificate`: (its file, its key's file), to speak TLS."""
        self.fault = lambda method, path: None
        self.seen = []  # (method, path, fault)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def serve(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                fault = proxy.fault(self.command, self.path)
                proxy.seen.append((self.command, self.path, fault))
                if fault == "503":
                    return self.reply(503, [], b"<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>")
                if fault == "reset":
                    return self.reset()
                if fault == "slow":
                    time.sleep(0.5)
                upstream = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=60)
                try:
                    upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        upstream.putheader(name, value)
                    upstream.endheaders(body)
                    answer = upstream.getresponse()
                    content = answer.read()
                finally:
                    upstream.close()
                if fault == "lost":
                    return self.reset()
                return self.reply(answer.status, answer.getheaders(), content)

            def reply(self, status, headers, content):
                self.send_response_only(status)
                length = str(len(content))
                for name, value in headers:
                    if name.lower() == "content-length" and self.command == "HEAD":
                        length = value
                    elif name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            def reset(self):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def log_message(self, *_):
                pass

            do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = serve

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                """A client that was killed, or a connection that we reset."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.scheme = "https" if certificate else "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def endpoint(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
