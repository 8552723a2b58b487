"""A proxy that sees, and may refuse, what goes to a server."""
import http.server
import socket
import struct
import threading


class Proxy:
    """Between client and server, as a company puts one there; knows nothing of what it lets through."""

    def __init__(self, server, refusal=None):
        self.seen = []  # (method, path, status)
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def cut_off(self):
                proxy.seen.append((self.command, self.path.partition("?")[0], None))
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                self.connection.close()

            def pass_on(self):
                if refusal == "reset" and self.path.startswith("/-/v1/uploads"):
                    return self.cut_off()
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if refusal and self.path.startswith("/-/v1/uploads"):
                    status, fields, answer = refusal, {}, b"no"
                else:
                    headers = {name: value for name, value in self.headers.items() if name != "Host"}
                    got = server.request(self.command, self.path, body or None, headers)
                    status, fields, answer = got.status, got.headers, got.body
                proxy.seen.append((self.command, self.path.partition("?")[0], status))
                self.send_response(status)
                for name, value in fields.items():
                    if name.lower() in ("etag", "content-type", "content-encoding"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PUT = pass_on

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.http.server_port
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    def count(self, method, path_start):
        return sum(1 for each, path, _ in self.seen if each == method and path.startswith(path_start))
