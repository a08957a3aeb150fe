"""The catalogue of clients, retry libraries, frameworks and languages: every file is sound, names are told apart, defaults have their source."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from flowaudit.scanner import catalog
from flowaudit.scanner.catalog import Catalog, CatalogError, Entry, Known, Symbol, expand
from flowaudit.scanner.catalog_files import entries, read_entry

LANGUAGES = ("python", "php", "javascript", "typescript", "shell")
KINDS = {"route", "webhook", "consumer", "task", "schedule", "event", "hook", "command"}
REPEATS = {"", "delivery", "schedule", "retry", "user"}
FAILURES = {"", "redelivered", "dropped", "shown", "exit"}
LEVELS = {"debug", "info", "warning", "error", "exception", "critical", "log", "print"}
PLACES = ("url", "method", "body", "timeout", "connect", "attempts", "pause", "retries_on", "key", "topic", "handler")
CATALOG = catalog.load()


def symbols() -> Iterator[tuple[Entry, Symbol]]:
    for entry in CATALOG.entries.values():
        for symbol in entry.symbols:
            yield entry, symbol


def spelt(symbol: Symbol) -> list[str]:
    return [name for written in (symbol.name, *symbol.aliases) for name in expand(written)]


def known(language: str, name: str) -> Known:
    found = CATALOG.symbol(language, name)
    assert found is not None, f"{name} is not known in {language}"
    return found


# ---- every file ----


def test_names_are_spelt_like_qualified_names() -> None:
    shape = re.compile(r"(?:def )?(?:[*?]\.)?[\w$@/\\:+-]+(?:\(\))?(?:\.(?:[\w$/-]+(?:\(\))?|\*))*")
    wrong = [f"{e.id}: {name}" for e, s in symbols() for name in spelt(s) if not shape.fullmatch(name)]
    assert not wrong


def test_backslashes_stand_in_php_names_alone() -> None:
    assert not [f"{e.id}: {n}" for e, s in symbols() if e.language not in {"", "php"} for n in spelt(s) if "\\" in n]


def test_php_names_have_no_leading_or_doubled_backslash() -> None:
    assert not [
        f"{e.id}: {n}" for e, s in symbols() if e.language == "php" for n in spelt(s) if n.startswith("\\") or "\\\\" in n or "::" in n
    ]


def test_a_name_means_one_thing_in_a_language() -> None:
    """Two entries may know one name only if they say the same of it, or if arguments or the receiver's name tell them apart."""
    wrong = []
    for language in LANGUAGES:
        for name in CATALOG.names(language):
            if name.startswith("?."):
                continue
            meanings = [k for k in CATALOG.meanings(language, name) if not k.symbol.only_if]
            if len({(k.symbol.role, k.symbol.effect) for k in meanings}) > 1:
                wrong.append(f"{language} {name}: {[(k.entry.id, k.symbol.role) for k in meanings]}")
    assert not wrong


def test_a_receiver_gives_a_method_one_meaning() -> None:
    said: dict[tuple[str, str, str], set[tuple[str, str]]] = defaultdict(set)
    for entry, symbol in symbols():
        for name in spelt(symbol):
            if name.startswith("?.") and not symbol.only_if:
                for receiver in symbol.receivers:
                    said[entry.language, name, receiver.lower().lstrip("_$")].add((symbol.role, symbol.effect))
    assert not {key: roles for key, roles in said.items() if len(roles) > 1}


def test_a_method_named_by_its_receiver_has_receivers() -> None:
    assert not [f"{e.id}: {n}" for e, s in symbols() for n in spelt(s) if n.startswith("?.") and not s.receivers]


def test_places_are_keywords_positions_or_keys() -> None:
    shape = re.compile(r"=|--?[\w-]+|[\w*\[\]-]+(?:\.[\w.*-]+)?")
    for entry, symbol in symbols():
        for field in PLACES:
            for place in getattr(symbol, field):
                assert (0 <= place <= 9) if isinstance(place, int) else shape.fullmatch(place), (
                    f"{entry.id} {symbol.name} {field} {place!r}"
                )


def test_entries_logs_and_handlers_use_the_known_words() -> None:
    wrong = []
    for entry, symbol in symbols():
        if symbol.role == "entry" and (symbol.value not in KINDS or symbol.repeat not in REPEATS or symbol.failure not in FAILURES):
            wrong.append(f"{entry.id} {symbol.name}: {symbol.value} {symbol.repeat} {symbol.failure}")
        if symbol.role == "log" and symbol.value not in LEVELS:
            wrong.append(f"{entry.id} {symbol.name}: level {symbol.value}")
    assert not wrong


def test_every_client_that_is_built_has_calls() -> None:
    """The class that a constructor answers must be the class that the calls are named by: a slip here makes a client invisible."""
    wrong = []
    for entry in CATALOG.entries.values():
        if entry.kind != "http-client":
            continue
        names = {name for s in CATALOG.entries.values() if s.language == entry.language for y in s.symbols for name in spelt(y)}
        wrong += [
            f"{entry.id}: {s.instance}"
            for s in entry.symbols
            if s.instance
            and s.role in {"client", "configure"}
            and not any(n == s.instance or n.startswith(s.instance + ".") for n in names)
        ]
    assert not wrong


def test_every_number_has_a_source() -> None:
    """Only a system's default may stand without one, and then it says that it is unsure (no rule rests on it)."""
    wrong = []
    for entry in CATALOG.entries.values():
        claims = [
            entry.timeout,
            entry.retry,
            *(c for v in entry.versions for c in (v.timeout, v.retry)),
            *(c for p in entry.sdks for c in (p.timeout, p.retry)),
        ]
        wrong += [entry.id for c in claims if c is not None and not c.source and (entry.kind != "system" or c.checked != "unsure")]
        numbers = any(isinstance(s.limit, float) for s in entry.symbols)
        if not entry.source and (numbers or entry.kind in {"http-client", "retry-library", "framework", "language"}):
            wrong.append(entry.id)
    assert not wrong


def test_limits_are_seconds_within_reason() -> None:
    for entry in CATALOG.entries.values():
        if entry.timeout is not None:
            for limit in (entry.timeout.default, entry.timeout.connect, entry.timeout.read, entry.timeout.total):
                assert isinstance(limit, str) or 0 < limit <= 3600, f"{entry.id}: {limit} s"


def test_no_claim_is_called_read_without_saying_where() -> None:
    assert not [e.id for e in CATALOG.entries.values() if e.checked.startswith("read") and not e.source]


# ---- what rules will ask ----


@pytest.mark.parametrize(
    ("language", "name", "limit"),
    [
        ("python", "requests.post", "none"),
        ("python", "requests.Session.get", "none"),
        ("python", "httpx.AsyncClient.post", 5.0),
        ("python", "aiohttp.ClientSession.get", 300.0),
        ("python", "urllib.request.urlopen", "none"),
        ("python", "zeep.Client.service.createOrder", "none"),
        ("python", "smtplib.SMTP.send_message", "none"),
        ("python", "botocore.client.BaseClient.describe_stacks", 60.0),
        ("php", "curl_exec", "none"),
        ("php", "GuzzleHttp\\Client.request", "none"),
        ("php", "Illuminate\\Support\\Facades\\Http.post", 30.0),
        ("php", "Symfony\\Contracts\\HttpClient\\HttpClientInterface.request", 60.0),
        ("php", "wp_remote_post", 5.0),
        ("php", "SoapClient.placeOrder", 60.0),
        ("php", "Magento\\Framework\\HTTP\\Client\\Curl.post", 300.0),
        ("javascript", "axios.post", "none"),
        ("typescript", "axios.AxiosInstance.get", "none"),
        ("javascript", "got.post", "none"),
        ("javascript", "ky.post", 10.0),
        ("javascript", "node-fetch", "none"),
        ("javascript", "fetch", 300.0),
        ("javascript", "nodemailer.Transporter.sendMail", 600.0),
        ("shell", "curl", "none"),
        ("shell", "wget", 900.0),
    ],
)
def test_how_long_a_call_waits(language: str, name: str, limit: float | str) -> None:
    found = known(language, name)
    assert found.symbol.role == "call"
    assert found.entry.timeout is not None
    assert found.entry.timeout.default == limit


def test_a_default_that_came_with_a_version() -> None:
    laravel = CATALOG.entries["laravel-http"]
    assert laravel.timeout is not None
    assert laravel.timeout.default == 30.0
    assert [(v.below, v.timeout.default) for v in laravel.versions if v.timeout] == [("9.0.0", "none")]


@pytest.mark.parametrize(
    ("language", "name", "effect"),
    [
        ("python", "requests.get", "read"),
        ("python", "requests.post", "write"),
        ("python", "requests.put", "idempotent-write"),
        ("php", "GuzzleHttp\\Client.postAsync", "write"),
        ("javascript", "axios.delete", "idempotent-write"),
        ("php", "Http.get", "read"),
        ("javascript", "@prisma/client.PrismaClient.order.create", "create"),
        ("python", "django.db.models.Model.objects.create", "create"),
    ],
)
def test_what_a_call_does(language: str, name: str, effect: str) -> None:
    assert known(language, name).symbol.effect == effect


@pytest.mark.parametrize(
    ("language", "name", "role"),
    [
        ("python", "django.db.transaction.atomic", "transaction"),
        ("python", "django.db.transaction.on_commit", "on-commit"),
        ("python", "*.select_for_update", "row-lock"),
        ("python", "*.delay", "enqueue"),
        ("python", "celery.shared_task", "entry"),
        ("python", "hmac.compare_digest", "verify"),
        ("python", "uuid.uuid4", "random"),
        ("python", "time.sleep", "sleep"),
        ("python", "asyncio.create_task", "spawn"),
        ("python", "asyncio.gather", "wait"),
        ("python", "asyncio.wait_for", "deadline"),
        ("python", "tenacity.retry", "retry"),
        ("python", "backoff.on_exception", "retry"),
        ("python", "urllib3.util.retry.Retry", "retry"),
        ("php", "Illuminate\\Support\\Facades\\DB.transaction", "transaction"),
        ("php", "DB.beginTransaction", "transaction"),
        ("php", "dispatch", "enqueue"),
        ("php", "Symfony\\Component\\Messenger\\MessageBusInterface.dispatch", "enqueue"),
        ("php", "as_enqueue_async_action", "enqueue"),
        ("php", "hash_equals", "verify"),
        ("php", "is_wp_error", "status-check"),
        ("php", "error_log", "log"),
        ("php", "add_action", "entry"),
        ("php", "Magento\\Framework\\MessageQueue\\PublisherInterface.publish", "enqueue"),
        ("php", "*.lockForUpdate", "row-lock"),
        ("javascript", "*.$transaction", "transaction"),
        ("javascript", "bullmq.Queue.add", "enqueue"),
        ("javascript", "bullmq.Worker", "entry"),
        ("javascript", "crypto.randomUUID", "random"),
        ("javascript", "Promise.allSettled", "wait"),
        ("javascript", "AbortSignal.timeout", "deadline"),
        ("javascript", "console.error", "log"),
        ("typescript", "@nestjs/common.Post", "entry"),
        ("javascript", "p-retry", "retry"),
        ("javascript", "crypto.timingSafeEqual", "verify"),
        ("javascript", "setImmediate", "spawn"),
        ("javascript", "axios-retry", "retry"),
    ],
)
def test_what_a_name_is(language: str, name: str, role: str) -> None:
    assert known(language, name).symbol.role == role


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("php", "event"),
        ("php", "Magento\\Framework\\Event\\ManagerInterface.dispatch"),
        ("php", "do_action"),
        ("php", "Symfony\\Contracts\\EventDispatcher\\EventDispatcherInterface.dispatch"),
        ("javascript", "@nestjs/event-emitter.EventEmitter2.emit"),
    ],
)
def test_events_handled_inside_the_call_are_not_enqueued(language: str, name: str) -> None:
    assert known(language, name).symbol.role == "pure"


def test_a_connect_limit_is_no_limit_of_the_call() -> None:
    setopt = known("php", "curl_setopt").symbol
    assert "CURLOPT_TIMEOUT" in setopt.timeout
    assert not {place for place in setopt.timeout if "CONNECT" in str(place)}
    soap = known("php", "SoapClient").symbol
    assert soap.connect == ("1.connection_timeout",)
    assert soap.timeout == ()
    assert 1 not in known("python", "zeep.transports.Transport").symbol.timeout, (
        "timeout= of zeep's Transport limits only the WSDL download"
    )


def test_uuid5_and_its_like_are_stable() -> None:
    assert known("python", "uuid.uuid5").symbol.role == "pure"
    assert known("javascript", "uuid.v5").symbol.role == "pure"


# ---- the indexes ----


def of(*listed: Symbol, language: str = "python") -> Catalog:
    return Catalog([Entry(id="x", kind="http-client", name="x", language=language, symbols=listed)])


def test_any_member_of_a_dynamic_client() -> None:
    found = of(Symbol(name="a.B.*", role="call"), Symbol(name="a.B.close", role="pure"), Symbol(name="a.B.*.create", role="record"))
    assert found.symbol("python", "a.B.pay").symbol.role == "call"  # type: ignore[union-attr]
    assert found.symbol("python", "a.B.close").symbol.role == "pure"  # type: ignore[union-attr]
    assert found.symbol("python", "a.B.orders.create").symbol.role == "record"  # type: ignore[union-attr]
    for other in ("a.B", "a.Bar.pay", "a.B.pay().status", "a.pay", "c.B.pay"):
        assert found.symbol("python", other) is None, other
    assert found.symbol("php", "a.B.pay") is None


def test_a_method_by_the_name_of_its_receiver() -> None:
    found = of(Symbol(name="?.send", role="enqueue", receivers=("producer",)), Symbol(name="?.send", role="call", receivers=("mailer",)))
    assert found.received("python", "send", "_producer").symbol.role == "enqueue"  # type: ignore[union-attr]
    assert found.received("python", "send", "Mailer").symbol.role == "call"  # type: ignore[union-attr]
    assert found.received("python", "send", "generator") is None
    assert found.received("python", "receive", "producer") is None


def test_one_name_with_several_meanings() -> None:
    found = of(Symbol(name="db.query", role="transaction", only_if=("0=BEGIN",)), Symbol(name="db.query", role="record"))
    assert [k.symbol.role for k in found.meanings("python", "db.query")] == ["transaction", "record"]
    assert found.meanings("python", "db.other") == ()
    assert [k.symbol.role for k in of(Symbol(name="a", role="call")).meanings("python", "a")] == ["call"]


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"entry x: role 'calls'"):
        of(Symbol(name="a", role="calls"))


def test_a_wrong_key_is_named_with_its_file() -> None:
    with pytest.raises(CatalogError, match=r"bad\.toml.*defalut"):
        read_entry("bad.toml", b'id = "x"\nkind = "http-client"\nname = "x"\n[timeout]\ndefalut = 1.0\n')


def test_two_files_with_one_id_are_refused() -> None:
    with pytest.raises(CatalogError, match="used twice"):
        Catalog([Entry(id="x", kind="queue", name="x"), Entry(id="x", kind="queue", name="y")])


# ---- the compiled form ----

ITEM = (
    "x.toml",
    b'id = "x"\nkind = "http-client"\nname = "x"\n[timeout]\ndefault = 5.0\n[[symbols]]\nname = "a.b"\nrole = "call"\ntimeout = ["timeout", 2]\n',
)


def test_the_compiled_form_says_the_same(tmp_path: Path) -> None:
    first = entries([ITEM], tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert entries([ITEM], tmp_path) == first == entries([ITEM], None)


def test_the_compiled_form_is_what_is_read(tmp_path: Path) -> None:
    entries([ITEM], tmp_path)
    path = next(tmp_path.iterdir())
    path.write_bytes(msgspec.msgpack.encode([Entry(id="y", kind="queue", name="y")]))
    assert [e.id for e in entries([ITEM], tmp_path)] == ["y"]


def test_changed_content_is_read_anew(tmp_path: Path) -> None:
    entries([ITEM], tmp_path)
    changed = entries([(ITEM[0], ITEM[1].replace(b"5.0", b"7.0"))], tmp_path)
    assert changed[0].timeout is not None
    assert changed[0].timeout.default == 7.0


@pytest.mark.parametrize("junk", [b"", b"\xc1", b"\x91\x81\xa2id\xa1x", b"not msgpack at all"])
def test_a_broken_compiled_form_is_replaced(tmp_path: Path, junk: bytes) -> None:
    good = entries([ITEM], tmp_path)
    path = next(tmp_path.iterdir())
    path.write_bytes(junk)
    assert entries([ITEM], tmp_path) == good
    assert path.read_bytes() != junk


def test_a_place_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert [e.id for e in entries([ITEM], blocked / "below")] == ["x"]
