"""The HTTP service: the same answers as the command line, and what others may send it. Argument: the program `planner`."""
import concurrent.futures
import http.client
import json
import re
import signal
import socket
import subprocess
import sys

program = sys.argv[1]


def start(*options):
    started = subprocess.Popen([program, "serve", "--port", "0", *options], stderr=subprocess.PIPE, text=True)
    return started, int(re.search(r":(\d+) ", started.stderr.readline()).group(1))


service, port = start("--socket-limit", "60", "--max-body", "100000")
impatient, impatient_port = start("--socket-limit", "1")


def ask(method, path, body=None, headers={}):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read().decode()


def send(data, *, to=port, close_writing=False):
    """Bytes as they are; what comes back until the other side closes."""
    with socket.create_connection(("127.0.0.1", to), timeout=60) as s:
        s.sendall(data)
        if close_writing:
            s.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while chunk := s.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def is_alive():
    return ask("GET", "/healthz")[0] == 200


try:
    question = {"model": "deepseek-r1-distill-qwen-1.5b", "quant": "Q4_K_M", "gpu": ["rtx 4090"], "context": 131072}
    status, answer = ask("POST", "/v1/estimate", json.dumps(question))
    printed = subprocess.run([program, "estimate", "--model", question["model"], "--quant", "Q4_K_M", "--gpu", "rtx 4090", "--context", "131072", "--json"], check=True,
                             capture_output=True, text=True).stdout
    assert status == 200 and json.loads(answer) == json.loads(printed)

    status, answer = ask("POST", "/v1/batch", json.dumps({**question, "solve": False}) + "\nno json\n")
    lines = [json.loads(line) for line in answer.splitlines()]
    assert status == 200 and [line["schema"] for line in lines] == ["planner.estimate/1", "planner.error/1"] and lines[1]["line"] == 2

    for path, schema in (("/v1/models?filter=qwen3+moe", "planner.models/1"), ("/v1/gpus", "planner.gpus/1"), ("/v1/quants", "planner.quants/1"),
                         ("/v1/engines", "planner.engines/1"), ("/v1/show?name=rtx+4090", "planner.show/1")):
        status, answer = ask("GET", path)
        assert status == 200 and json.loads(answer)["schema"] == schema, (path, status)
    description = json.loads(ask("GET", "/openapi.json")[1])
    for path, methods in description["paths"].items():  # every path that is described is there
        for method in methods:
            status, _ = ask(method.upper(), path + ("?name=rtx+4090" if path == "/v1/show" else ""), json.dumps(question) if method == "post" else None)
            assert status == (422 if path == "/v1/check" else 200), (path, status)  # a question is no log

    for method, path, body, headers, expected in (
        ("POST", "/v1/estimate", "{", {}, 400),
        ("POST", "/v1/estimate", "", {}, 400),
        ("POST", "/v1/estimate", '{"model": 3}', {}, 400),
        ("POST", "/v1/estimate", '{"model": "no such model"}', {}, 404),
        ("POST", "/v1/estimate", '{"model": "/etc/passwd.gguf"}', {}, 403),
        ("POST", "/v1/estimate", '{"model": "qwen3-8b", "machine": "/etc/passwd"}', {}, 403),
        ("POST", "/v1/estimate", b"\xff\xfe\x00", {}, 400),
        ("POST", "/v1/estimate", "[" * 50000, {}, 400),
        ("POST", "/v1/estimate", "x" * 100001, {}, 413),
        ("POST", "/v1/estimate", b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415),
        ("GET", "/v1/show?name=no+such+thing", None, {}, 404),
        ("GET", "/../etc/passwd", None, {}, 404),
        ("DELETE", "/v1/models", None, {}, 404),
    ):
        status, answer = ask(method, path, body, headers)
        assert status == expected, (method, path, str(body)[:60], status, answer[:200])
        assert json.loads(answer)["schema"] == "planner.error/1"

    request = b"POST /v1/estimate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s"
    body = json.dumps({**question, "solve": False}).encode()
    send(request % (len(body), body), close_writing=True)  # asked, then closed its half: the HTTP library takes that for gone
    assert is_alive()
    for garbage in (b"\r\n\r\n", b"\x00" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/estimate HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                    b"POST /v1/estimate HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                    b"POST /v1/estimate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"GET /healthz HTTP/1.1\r\n" + b"a: b\r\n" * 20000 + b"\r\n"):
        send(garbage, close_writing=True)
        assert is_alive(), garbage[:40]
    send(request[:30], to=impatient_port)  # a head that never ends: the service ends it
    send(request % (len(body), body[:10]), to=impatient_port)  # a body that never ends
    assert impatient.poll() is None

    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(64)]  # connected, silent: others are answered meanwhile
    assert is_alive()
    for s in slow:
        s.close()

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        contexts = [1024 * (1 + i % 16) for i in range(400)]
        answers = list(pool.map(lambda context: ask("POST", "/v1/estimate", json.dumps({**question, "context": context, "solve": False})), contexts))
    for context, (status, answer) in zip(contexts, answers):
        assert status == 200 and json.loads(answer)["workload"]["context"] == context
    service.send_signal(signal.SIGTERM)
    assert service.wait(60) == 0
finally:
    service.kill()
    impatient.kill()

taken = socket.create_server(("127.0.0.1", 0))
refused = subprocess.run([program, "serve", "--port", str(taken.getsockname()[1])], capture_output=True, text=True, timeout=20)
assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and refused.stdout == "", refused
print("all held")
