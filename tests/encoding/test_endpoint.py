"""Embeddings from a server, which stands in the test itself."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stage2.encoding.cache import EmbeddingCache
from stage2.encoding.endpoint import KEY_VARIABLE, Endpoint
from stage2.encoding.tokens import Texts
from stage2.utils.errors import BadInputError, RunFailedError

KEY = "sk-very-secret"
Answer = Callable[[str, dict[str, Any]], tuple[int, dict[str, str], bytes]]


def vector(text: str) -> list[float]:
    return [float(len(text)), 1.0, 2.0]


class Server:
    """A server whose answers a test decides.

    Attributes:
        url: where it is, without a path.
        answer: a function of a path and a body that returns status, headers and content.
        seen: the bodies and the headers of all requests.
    """

    def __init__(self) -> None:
        self.answer: Answer = well
        self.seen: list[tuple[dict[str, Any], dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.seen.append((body, dict(self.headers)))
                status, headers, content = server.answer(self.path, body)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                """Keep stderr for what is tested."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A client that gave up has closed the connection.
        self.http.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self.http.server_port}"


def well(path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    """Answer as a server should; OpenAI's form in another order."""
    if path == "/embed":
        return 200, {}, json.dumps([vector(text) for text in body["inputs"]]).encode()
    data = [{"index": i, "embedding": vector(text)} for i, text in enumerate(body["input"])]
    return 200, {}, json.dumps({"data": data[::-1]}).encode()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.http.shutdown()
    thread.join()
    made.http.server_close()


def endpoint(server: Server, path: str = "/v1/embeddings", **more: Any) -> Endpoint:
    more = {"model": "m", "similarity": "dot", "wait": lambda _: None, **more}
    return Endpoint(server.url + path, **more)


def embed(one: Endpoint, texts: list[str], cache: EmbeddingCache | None = None) -> Any:
    def read(rows: Any) -> Texts:
        roles: Any = ["query" if texts[i].startswith("?") else "document" for i in rows]
        return Texts([texts[i] for i in rows], [()] * len(rows), roles)

    return one.embed(len(texts), read, 3, cache=cache).mu


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embed"])
def test_vectors_come_in_the_order_of_the_texts(server: Server, path: str) -> None:
    one = endpoint(server, path)
    texts = [f"text {i * i}" for i in range(40)] + ["text 0"]
    assert one.width() == 3
    assert np.array_equal(embed(one, texts), [vector(text) for text in texts])
    # One request for the width, two for forty different texts.
    assert len(server.seen) == 3
    assert all(headers["Authorization"] == f"Bearer {KEY}" for _, headers in server.seen)


def test_prompts_stand_before_the_texts_and_the_cosine_scales(server: Server) -> None:
    found = embed(endpoint(server, prompts={"query": "find: "}, similarity="cosine"), ["?a", "b"])
    assert server.seen[0][0]["input"] == ["find: ?a", "b"]
    assert np.allclose(np.linalg.norm(found, axis=1), 1)


def test_the_cache_has_what_was_sent_once_and_never_the_key(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cache(one: Endpoint) -> EmbeddingCache:
        return EmbeddingCache(tmp_path, 3, one.depends_on, {"model": one.name, "precision": "e"})

    one = endpoint(server)
    first = embed(one, ["a", "b"], cache(one))
    monkeypatch.setenv(KEY_VARIABLE, "another")
    assert np.array_equal(embed(one, ["b", "a"], cache(one)), first[::-1])
    assert len(server.seen) == 1
    other = endpoint(server, model="n")
    embed(other, ["a"], cache(other))
    assert len(server.seen) == 2
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_a_busy_server_is_asked_again_as_it_wishes(server: Server) -> None:
    answers = iter([(429, {"Retry-After": "7"}, b""), (503, {}, b"")])
    server.answer = lambda *request: next(answers, None) or well(*request)
    waits: list[float] = []
    assert len(embed(endpoint(server, wait=waits.append), ["a"])) == 1
    assert waits == [7.0, 2.0]
    server.answer = lambda *_: (429, {}, f"quota of {KEY} used".encode())
    with pytest.raises(RunFailedError, match=r"answers 429 \(quota of … used\), after 6 attempts"):
        embed(endpoint(server, wait=waits.append), ["a"])
    assert waits[2:] == [1.0, 2.0, 4.0, 8.0, 16.0]


def answers(value: Any) -> Answer:
    return lambda *_: (200, {}, json.dumps(value).encode())


def rows(*found: Any) -> dict[str, Any]:
    return {"data": [{"index": i, "embedding": row} for i, row in enumerate(found)]}


WRONG: list[tuple[Answer, str]] = [
    (answers(rows([1.0, 2, 3])), "1 vectors for 2 texts"),
    (answers(rows([1.0, 2], [1.0, 2])), "width 2; expected 3, as before"),
    (answers(rows([1.0, 2, 3], [1.0])), "width 1 and 3"),
    (answers(rows([1.0, 2, 3], [1.0, float("nan"), 3])), "else than finite numbers"),
    (answers(rows([1.0, 2, 3], [1.0, "2", 3])), "else than finite numbers"),
    (answers(rows([1.0, 2, 3], [1.0, 1e300, 3])), "else than finite numbers"),
    (answers({"data": [{"index": 0, "embedding": [1.0]}] * 2}), "the indices [0]…"),
    (answers({"data": [{"embedding": [1.0]}] * 2}), "without a whole `index`"),
    (answers({"error": KEY}), "no `data` with a list"),
    (lambda *_: (200, {}, b'{"data": [{"index": 0'), "no JSON, or JSON cut short"),
    (lambda *_: (400, {}, f"bad {KEY}".encode()), "answers 400 (bad …)"),
    (lambda *_: (401, {}, b""), f"answers 401 (nothing); expected a valid key in the "
     f"environment variable {KEY_VARIABLE}"),
    (lambda *_: (302, {"Location": "http://elsewhere"}, b""), "expected the URL itself"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "said"), WRONG)
def test_a_wrong_answer_is_an_error(server: Server, answer: Answer, said: str) -> None:
    server.answer = answer
    with pytest.raises(RunFailedError) as failed:
        embed(endpoint(server), ["a", "b"])
    assert said in str(failed.value)
    assert KEY not in str(failed.value)
    assert len(server.seen) == 1


def test_a_slow_or_absent_server_is_an_error(server: Server) -> None:
    go_on = threading.Event()
    server.answer = lambda *request: (go_on.wait(), well(*request))[1]
    with pytest.raises(RunFailedError, match="no answer: timed out"):
        endpoint(server, timeout=0.05).width()
    go_on.set()
    with pytest.raises(RunFailedError, match="no answer"):
        Endpoint("http://127.0.0.1:1/embed").width()


@pytest.mark.parametrize(
    ("url", "model", "said"),
    [
        ("localhost/embed", None, "expected a URL such as"),
        ("ftp://host/embed", None, "expected a URL such as"),
        ("http://host/v1", None, "expected a URL such as"),
        ("http://host/v1/embeddings", None, "--endpoint-model NAME is missing"),
        ("http://user:word@host/embed", None, "holds a secret"),
        (f"http://host/embed?key={KEY}", None, "holds a secret"),
    ],
)
def test_a_url_is_checked(
    url: str, model: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    with pytest.raises(BadInputError) as refused:
        Endpoint(url, model)
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


def test_a_key_that_no_header_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "se\ncret")
    with pytest.raises(BadInputError) as refused:
        Endpoint("http://host/embed")
    assert "cret" not in str(refused.value).removeprefix(KEY_VARIABLE)
