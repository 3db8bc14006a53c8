"""vectors.py llhttp|smuggler DIR PROXY-PORT INTERCEPT-PORT ORIGIN-PORT: raw bytes of others through the HTTP proxy.

A raw client sends a vector and says that it has no more to say; a raw origin waits for whole messages before it answers. What the
origin got is read by `read_requests`, which forgives nothing, so that it is one meaning or none.
"""
import json
import pathlib
import queue
import re
import socket
import sys
import threading
import time

HERE = pathlib.Path(__file__).parent
LIMIT = 20  # seconds, for what takes milliseconds
TCHAR = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
LINE = re.compile(rb"([\t\x20-\x7e\x80-\xff]*)\r\n")
START = re.compile(rb"(" + TCHAR + rb"+) ([^\x00-\x20\x7f#]+) (HTTP/1\.[01])")
FIELD = re.compile(rb"(" + TCHAR + rb"+):[\t ]*(.*?)[\t ]*", re.S)
SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*(?<!;))?\r\n")


class Refused(Exception):
    """This can be no message."""


class Incomplete(Exception):
    """This may become a message."""


class Reader:
    """A stream of messages, read as strictly as RFC 9112 can be read."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def line(self, pattern=LINE):
        found = pattern.match(self.data, self.at)
        if found:
            self.at = found.end()
            return found.group(1)
        rest = self.data[self.at:]
        if b"\n" in rest or (pattern is LINE and re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r[^\n]", rest)):
            raise Refused
        if pattern is SIZE and not re.fullmatch(rb"[0-9A-Fa-f]{0,15}(;[\t\x20-\x7e\x80-\xff]*)?\r?", rest):
            raise Refused
        raise Incomplete

    def fields(self):
        fields = []
        while line := self.line():
            found = FIELD.fullmatch(line)
            if not found:
                raise Refused
            fields.append((found.group(1).lower(), found.group(2)))
        return fields

    def take(self, count):
        if count > len(self.data) - self.at:
            raise Incomplete
        self.at += count
        return self.data[self.at - count:self.at]

    def chunks(self):
        body = b""
        while size := int(self.line(SIZE), 16):
            body += self.take(size)
            end = self.data[self.at:self.at + 2]
            if end != b"\r\n":
                raise Incomplete if b"\r\n".startswith(end) else Refused
            self.at += 2
        self.fields()
        return body


def values(fields, name):
    return [value for field, value in fields if field == name]


def read_request(reader):
    for _ in range(5):
        start = reader.line()
        if start:
            break
    else:
        raise Refused
    fields = reader.fields()
    found = START.fullmatch(start)
    if not found or values(fields, b"transfer_encoding") or values(fields, b"content_length"):
        raise Refused
    method, target, version = found.groups()
    hosts = values(fields, b"host")
    if len(hosts) != 1 and (hosts or version != b"HTTP/1.0"):
        raise Refused
    codings, lengths = values(fields, b"transfer-encoding"), values(fields, b"content-length")
    body = b""
    if codings:
        if lengths or len(codings) > 1 or codings[0].lower() != b"chunked" or version == b"HTTP/1.0":
            raise Refused
        body = reader.chunks()
    elif lengths:
        if len(lengths) > 1 or not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
            raise Refused
        body = reader.take(int(lengths[0]))
    options = b",".join(values(fields, b"connection")).lower()
    return (method, target, body), version == b"HTTP/1.0" or b"close" in options


def read_requests(data):
    """The whole messages (method, target, body), and what comes behind them: clean, incomplete, refused or closed."""
    reader, messages = Reader(data), []
    try:
        while reader.at < len(data):
            message, closes = read_request(reader)
            messages.append(message)
            if closes:
                return messages, "closed"
        return messages, "clean"
    except Incomplete:
        return messages, "incomplete"
    except Refused:
        return messages, "refused"


def path_of(target):
    """As an origin sees it: without the authority of a URL."""
    rest = re.sub(rb"^(?i:http)://[^/?]*", b"", target)
    return b"/" + rest if rest.startswith(b"?") else rest or b"/"


class Origin:
    """Answers whole requests with nothing; or each connection's first request with `response`, and then its end."""

    def __init__(self, port):
        self.server = socket.create_server(("127.0.0.1", port), backlog=64)
        self.response = None
        self.accepted = queue.Queue()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            channel, peer = self.server.accept()
            channel.settimeout(LIMIT)
            record = bytearray()
            thread = threading.Thread(target=self.serve, args=(channel, record), daemon=True)
            thread.start()
            self.accepted.put((peer, thread, record))

    def serve(self, channel, record):
        answered = 0
        with channel:
            try:
                while data := channel.recv(65536):
                    record += data
                    complete = len(read_requests(bytes(record))[0])
                    if complete > answered and self.response is not None:
                        channel.sendall(self.response)
                        channel.shutdown(socket.SHUT_WR)
                    elif complete > answered:
                        channel.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * (complete - answered))
                    answered = complete
            except ConnectionError:
                pass

    def collect(self):
        """What all connections got since the last call, after their ends: those that were there before one of our own."""
        with socket.create_connection(self.server.getsockname(), LIMIT) as mark:
            own = mark.getsockname()
        got = []
        while True:
            peer, thread, record = self.accepted.get(timeout=LIMIT)
            if peer == own:
                return got
            thread.join(LIMIT)
            if thread.is_alive():
                raise SystemExit("vectors.py: a connection to the origin does not end")
            got.append(bytes(record))


def talk(port, data):
    """Sends, ends, and returns all that is answered, and whether the end was a reset."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as client:
        answer = bytearray()
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            while more := client.recv(65536):
                answer += more
            return bytes(answer), False
        except ConnectionError:
            return bytes(answer), True


def await_listening(port):
    """A connection to the origin comes of it at most, with nothing in it."""
    end = time.monotonic() + LIMIT
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), LIMIT).close()
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise SystemExit(f"vectors.py: nobody listens on port {port}")
            time.sleep(0.1)


def statuses(answer):
    return [int(s) for s in re.findall(rb"HTTP/1\.1 ([0-9]{3}) [^\r\n]*\r\n", answer)]


def exchange(port, origin, data):
    """What of `data` arrived, what stood behind it, and what was answered."""
    answer, reset = talk(port, data)
    messages, end = [], "clean"
    for record in origin.collect():
        more, last = read_requests(record)
        messages += more
        if last not in ("clean", "closed"):
            end = last
    return messages, end, statuses(answer), reset


# --- llhttp: test/request/*.md and test/response/*.md, each a vector and the log of what its strict parser makes of it

def unescape(text):
    """As its own runner does, md-test.ts; None for the few that need JavaScript."""
    text = text.removesuffix("\n")
    text = re.sub(r"\\\n", "", text)
    text = text.replace("\n", "\r\n")
    for escape, meant in (("\\r", "\r"), ("\\n", "\n"), ("\\t", "\t"), ("\\f", "\f")):
        text = text.replace(escape, meant)
    text = re.sub(r"\\x([0-9a-fA-F]+)", lambda m: chr(int(m[1], 16)), text)
    text = re.sub(r"\\([0-7]{1,3})", lambda m: chr(int(m[1], 8)), text)
    repeat = re.compile(r"\$\{'(.)'\.repeat\((\d+)\)\}")
    text = repeat.sub(lambda m: m[1] * int(m[2]), text)
    return None if "${" in text else text.encode("utf-8")


def llhttp_vectors(directory, kind):
    """Those of the strict parser without pauses: name, bytes, and the events of the log."""
    for file in sorted(pathlib.Path(directory, "test", kind).glob("*.md")):
        seen = {}
        parts = re.split(r"^#{2,} +(.*)$", file.read_text("utf-8"), flags=re.M)
        for title, body in zip(parts[1::2], parts[2::2]):
            found = re.search(r"<!-- meta=(\{.*?\}) -->\s*```http\n(.*?)```\s*```log\n(.*?)```", body, re.S)
            if not found:
                continue
            meta = json.loads(found[1])
            seen[title] = seen.get(title, 0) + 1
            name = f"{kind}/{file.name}: {title}" + (f" ({seen[title]})" if seen[title] > 1 else "")
            plain = meta["type"] == kind and not {"pause", "skipBody", "skip"} & set(meta)
            data = unescape(found[2])
            yield name, data if plain else None, events(found[3])


def events(log):
    """(offset, what, length) of each line that matters; of a span also its length."""
    result = []
    for line in log.splitlines():
        found = re.match(r"/?off=(\d+) (?:len=(\d+) )?(.*)", line)
        if found:
            result.append((int(found[1]), found[3], int(found[2] or 0)))
    return result


def llhttp_messages(data, log):
    """What it reads: [method, target, body, status, whether it is complete] of each message; whether the rest is an error, or not HTTP."""
    messages, end = [], None
    for offset, what, length in log:
        span = re.match(r"span\[(\w+)\]", what)
        if what == "message begin":
            messages.append([b"", b"", b"", 0, False])
        elif span and messages and span[1] in ("method", "url", "body"):
            messages[-1][("method", "url", "body").index(span[1])] += data[offset:offset + length]
        elif status := re.match(r"headers complete.* status=(\d+)", what):
            messages[-1][3] = int(status[1])
        elif what == "message complete":
            messages[-1][4] = True
        elif error := re.match(r"error code=(\d+)", what):
            end = "upgrade" if error[1] == "22" else "closed" if "after `Connection: close`" in what else "error"
    return messages, end


def with_hosts(data, log):
    """Host where HTTP/1.1 has none: the parser that the vectors are for does not ask for it."""
    places = [offset for offset, what, _ in log if what == "version complete"]
    for place in reversed(places):
        end = data.find(b"\r\n\r\n", place)
        head = data[place:end if end >= 0 else len(data)]
        if data[place:place + 2] == b"\r\n" and not re.search(rb"^host\s*:", head, re.I | re.M):
            data = data[:place + 2] + b"Host: a.test\r\n" + data[place + 2:]
    return data


def llhttp_request(data, log, proxy, intercept, origin):
    """What differs, or None."""
    expected, end = llhttp_messages(data, log)
    whole = [(m[0], path_of(m[1]), m[2]) for m in expected if m[4]]
    target = data.split(b" ")[1][:1] if b" " in data else b"/"
    port = intercept if target in b"/*" else proxy
    messages, behind, answers, _ = exchange(port, origin, with_hosts(data, log))
    if whole and whole[0][0] == b"CONNECT":
        return None if answers[:1] == [200] else f"rejects: {answers}"
    arrived = [(m, path_of(t), b) for m, t, b in messages]
    if behind == "refused":
        return "forwards what is ambiguous"
    if end == "error":
        return "accepts" if len(arrived) > len(whole) or arrived != whole[:len(arrived)] else None
    if end == "upgrade":
        arrived = arrived[:len(whole)]
    if arrived == whole:
        return None
    return f"rejects: {answers[-1]}" if answers and answers[-1] >= 400 and arrived == whole[:len(arrived)] else (
        f"reads otherwise: {arrived} instead of {whole}")


def llhttp_response(data, log, intercept, origin):
    expected, end = llhttp_messages(data, log)
    final = next((m for m in expected if m[3] >= 200 or m[3] == 101 or not m[4]), None)
    origin.response = data
    request = b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    answer, reset = talk(intercept, request)
    origin.collect()
    origin.response = None
    heads = re.split(rb"(?<=\r\n\r\n)", answer)
    while re.match(rb"HTTP/1\.1 1(?!01)", heads[0]) and len(heads) > 1:
        heads.pop(0)
    got, body, complete = int(heads[0][9:12] or 0), b"".join(heads[1:]), not reset
    if b"transfer-encoding: chunked" in heads[0].lower():
        try:
            body = Reader(body).chunks()
        except (Incomplete, Refused):
            complete = False
    refuses = got == 502 or not complete
    until_close = final is not None and not final[4] and end is None and final[3] >= 200 and not re.search(
        rb"^(transfer-encoding|content-length)", data, re.I | re.M)
    if final is None or not (final[4] or until_close):
        return None if refuses else f"accepts: {got}"
    if refuses:
        return f"rejects: {got}"
    return None if (got, body) == (final[3], final[2]) or got == 101 else f"reads otherwise: {got} {body} instead of {final}"


def llhttp(directory, proxy, intercept, origin):
    justified = {}
    for line in (HERE / "llhttp-differences.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, verdict, _ = (part.strip() for part in line.split("|"))
            justified[name] = verdict
    found, asked, skipped, bad = set(), 0, 0, []
    for kind in ("request", "response"):
        for name, data, log in llhttp_vectors(directory, kind):
            if data is None:
                skipped += 1
                continue
            asked += 1
            if kind == "request":
                differs = llhttp_request(data, log, proxy, intercept, origin)
            else:
                differs = llhttp_response(data, log, intercept, origin)
            if differs:
                found.add(name)
                if justified.get(name) != differs.split(":")[0]:
                    bad.append(f"{name} | {differs}")
    bad += [f"{name} | no longer differs" for name in justified if name not in found]
    print("\n".join(bad))
    print(f"{asked} vectors, {len(found)} differ, {len(found) - sum('no longer' not in b for b in bad)} of them with a reason;"
          f" {skipped} left out (lenient modes, pauses)")
    return not bad and asked > 150


# --- smuggler: configs/*.py, each some hundred spellings of Transfer-Encoding beside a Content-Length

SMUGGLED = "GET http://a.test/smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"
BODIES = {
    "chunks": ("3\r\nabc\r\n0\r\n\r\n", -1),
    "length is short": ("3\r\nabc\r\n0\r\n\r\n", 4),
    "length is long": ("0\r\n\r\nX", 6),
    "request behind the last chunk": ("0\r\n\r\n" + SMUGGLED, -1),
    "request behind the length": ("1\r\nx\r\n0\r\n\r\n" + SMUGGLED, 11),
    "request as a chunk": (f"{len(SMUGGLED):x}\r\n{SMUGGLED}\r\n0\r\n\r\n", 4),
}


def mutations(directory):
    sys.path.insert(0, str(directory))
    from lib.Payload import Payload
    for config in sorted(pathlib.Path(directory, "configs").glob("*.py")):
        scope = {"Payload": Payload, "mutations": {}}
        exec(compile(config.read_text("latin-1"), str(config), "exec"), scope)
        for name, payload in scope["mutations"].items():
            yield f"{config.stem}/{name}", payload


def smuggler(directory, proxy, intercept, origin):
    tried = refused = forwarded = 0
    bad = []
    for name, payload in mutations(directory):
        payload.host, payload.method = "a.test", "POST"
        for port, endpoint in ((proxy, "http://a.test/"), (intercept, "/")):
            payload.endpoint = endpoint
            for kind, (body, length) in BODIES.items():
                payload.body, payload.cl = body, length
                both = str(payload).encode("latin-1")
                alone = re.sub(rb"Content-Length: [0-9]+\r\n", b"", both)
                for data in (both, alone):
                    meant, end = read_requests(data)
                    meant = [(m, path_of(t), b) for m, t, b in meant]
                    if port == intercept:  # where URLs are nobody's targets
                        meant = [m for m in meant if m[1] != b"/smuggled"]
                    messages, behind, answers, _ = exchange(port, origin, data)
                    arrived = [(m, path_of(t), b) for m, t, b in messages]
                    last = answers[-1] if answers else 0
                    told = last in (400, 501) or (end != "refused" and last in (0, 200))
                    ok = arrived == meant and told and (behind != "refused") and answers.count(200) == len(meant)
                    tried += 1
                    refused += not arrived
                    forwarded += bool(arrived)
                    if not ok:
                        bad.append(f"{name}, {kind}: meant {meant} {end}, arrived {arrived} {behind}, answered {answers}")
    print("\n".join(bad[:50]))
    print(f"{tried} requests, {refused} refused, {forwarded} forwarded, {len(bad)} wrong")
    return tried > 1000 and not bad


if __name__ == "__main__":
    suite, directory, *ports = sys.argv[1:]
    proxy_port, intercept_port, origin_port = map(int, ports)
    await_listening(proxy_port)
    await_listening(intercept_port)
    run = {"llhttp": llhttp, "smuggler": smuggler}[suite]
    sys.exit(0 if run(pathlib.Path(directory).resolve(), proxy_port, intercept_port, Origin(origin_port)) else 1)
