"""Programs that only start another one (`env`, `sudo`, `flock`, `timeout`, `docker exec`, ...): what their own words mean and where the inner
command begins. Sources: the programs' manual pages (coreutils, util-linux, moreutils, sudo, Docker and kubectl command references)."""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

Word: TypeAlias = "str | None"
"""A word of a command; None where its value is not known before it runs."""

_ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)\s*([smhd]?)$")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Wrapper(NamedTuple):
    """One wrapper with its settings as (name, value): `timeout` has "seconds", `flock` "file", "nonblock", "wait", `sudo` "user", ..."""

    name: str
    options: tuple[tuple[str, str], ...] = ()

    def get(self, name: str) -> str | None:
        """A setting's value, None where it is absent."""
        return dict(self.options).get(name)


class Peeled(NamedTuple):
    """What a wrapper leaves: itself, the index of the inner program's word, or (`text_at`) of a word that is a command line as text."""

    wrapper: Wrapper
    inner: int = -1
    text_at: int = -1


def seconds(word: Word) -> float | None:
    """A duration as `timeout` writes it, in seconds; None where it is none. `0` turns the limit off and is answered as 0."""
    match = _DURATION.match(word or "")
    return float(match[1]) * _UNITS[match[2]] if match else None


class _Spec(NamedTuple):
    """Options with a value (short ones as letters, long ones as words), how many words follow them before the command, and names for those."""

    letters: str = ""
    long: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    keep: tuple[tuple[str, str], ...] = ()
    """Options (as written) that become settings, with the setting's name."""


_SPECS: dict[str, _Spec] = {
    "env": _Spec("uCS", ("unset", "chdir", "split-string")),
    "sudo": _Spec("ugpCrtThUD", ("user", "group", "prompt", "chroot", "chdir", "host", "other-user"), keep=(("-u", "user"), ("--user", "user"))),
    "doas": _Spec("uC", keep=(("-u", "user"),)),
    "nice": _Spec("n", ("adjustment",)),
    "ionice": _Spec("cntpPu", ("class", "classdata")),
    "chrt": _Spec("TPD", names=("priority",)),
    "taskset": _Spec(names=("mask",)),
    "timeout": _Spec("ks", ("kill-after", "signal"), ("seconds",), (("-k", "kill-after"), ("--kill-after", "kill-after"))),
    "gtimeout": _Spec("ks", ("kill-after", "signal"), ("seconds",)),
    "chronic": _Spec(), "cronic": _Spec(), "setsid": _Spec(), "nohup": _Spec(), "command": _Spec(), "exec": _Spec("a"), "time": _Spec("fo"),
    "stdbuf": _Spec("ioe", ("input", "output", "error")), "unbuffer": _Spec(), "builtin": _Spec(), "eatmydata": _Spec(), "run-one": _Spec(),
    "dumb-init": _Spec("r"), "tini": _Spec("p"), "catchsegv": _Spec(), "caffeinate": _Spec("tw"),
    "gosu": _Spec(names=("user",)), "su-exec": _Spec(names=("user",)), "setuidgid": _Spec(names=("user",)),
    "runuser": _Spec("ugGc", ("user", "group", "command"), keep=(("-u", "user"), ("--user", "user"))),
    "chpst": _Spec("ubedmoplfct/", keep=(("-u", "user"),)),
    "setlock": _Spec(names=("file",)), "lckdo": _Spec("W", names=("file",)), "solo": _Spec("port"),
    "systemd-cat": _Spec("tpP", ("identifier", "priority")), "systemd-inhibit": _Spec(long=("what", "who", "why", "mode")),
    "systemd-run": _Spec("upMH", ("unit", "property", "description", "uid", "gid", "on-calendar"), keep=(("-p", "property"), ("--property", "property"))),
    "xargs": _Spec("aEeIiLlnPsd", ("arg-file", "max-args", "max-procs", "delimiter", "replace", "max-lines"), keep=(("-P", "processes"), ("-n", "items"))),
    "cronitor": _Spec(), "runitor": _Spec(long=("uuid", "slug", "ping-key", "api-url"), keep=(("-uuid", "monitor"), ("-slug", "monitor"))),
    "strace": _Spec("eopsuEPSabIO"), "dotenv": _Spec("fe", ("file", "env")), "with-contenv": _Spec(), "op": _Spec(),
    "sem": _Spec("j", ("id", "jobs"), keep=(("--id", "file"),)), "unshare": _Spec(), "firejail": _Spec(), "watch": _Spec("n"),
}
_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh", "ash"})
_RUN_VALUES = (
    "add-host", "cpus", "cpu-shares", "detach-keys", "device", "dns", "entrypoint", "env", "env-file", "expose", "gpus", "health-cmd", "hostname",
    "ip", "label", "link", "log-driver", "log-opt", "memory", "mount", "name", "network", "net", "pid", "platform", "publish", "pull", "restart",
    "shm-size", "stop-timeout", "tmpfs", "ulimit", "user", "volume", "volumes-from", "workdir", "index", "file", "project-name", "project-directory",
    "profile", "context", "namespace", "container", "kubeconfig", "cluster", "request-timeout",
)


def peel_once(words: Sequence[Word]) -> Peeled | None:
    """Read one wrapper at the start of `words` (program first); None where the program is no wrapper or nothing follows."""
    name = words[0] if words else None
    if name is None:
        return None
    if name == "flock":
        return _flock(words)
    if name in _SHELLS:
        return _shell(name, words)
    if name in {"su", "runuser"}:
        made = _su(name, words)
        if made is not None or name == "su":
            return made
    if name in {"docker", "podman", "nerdctl", "docker-compose", "podman-compose", "kubectl", "oc"}:
        return _container(name, words)
    if name == "sentry-cli":
        return _after_dashes(name, words) if "monitors" in words else None
    if name in {"cronitor", "dotenv", "op"} and not {"exec", "run"} & {w for w in words[1:4] if w}:
        return None
    spec = _SPECS.get(name)
    if spec is None:
        return None
    at, kept = _options(words, 1, spec)
    if name == "cronitor":
        at += 2
    elif name in {"dotenv", "op"} and at < len(words) and words[at] in {"run", "exec"}:
        at += 1
        at += at < len(words) and words[at] == "--"
    for label in spec.names:
        if at < len(words):
            kept.append((label, words[at] or ""))
            at += 1
    if name in {"env", "sudo", "doas"}:
        while at < len(words) and _ASSIGNMENT.match(words[at] or ""):
            variable, _, value = (words[at] or "").partition("=")
            kept.append((variable, value))
            at += 1
    if name == "timeout":
        kept = [(k, str(limit)) if k == "seconds" and (limit := seconds(v)) is not None else (k, v) for k, v in kept]
    return Peeled(Wrapper(name, tuple(kept)), at) if at < len(words) else None


def _options(words: Sequence[Word], at: int, spec: _Spec) -> tuple[int, list[tuple[str, str]]]:
    """Skip options from `at`; answers the index of the first other word and the settings found."""
    kept: list[tuple[str, str]] = []
    names = dict(spec.keep)
    while at < len(words):
        word = words[at]
        if word is None or not word.startswith("-") or word == "-":
            break
        at += 1
        if word == "--":
            break
        option, equals, value = word.partition("=")
        bare = option.lstrip("-")
        takes = not equals and (bare in spec.long or (not word.startswith("--") and len(word) == 2 and word[1] in spec.letters))
        if takes and at < len(words):
            value = words[at] or ""
            at += 1
        elif not word.startswith("--") and len(word) > 2 and word[1] in spec.letters and bare not in spec.long:
            option, value = word[:2], word[2:]
        if option in names:
            kept.append((names[option], value))
    return at, kept


def _after_dashes(name: str, words: Sequence[Word]) -> Peeled | None:
    at = next((i for i, w in enumerate(words) if w == "--"), -1)
    return Peeled(Wrapper(name), at + 1) if 0 <= at < len(words) - 1 else None


def _flock(words: Sequence[Word]) -> Peeled | None:
    """`flock [options] FILE|FD [-c TEXT | command...]`. "wait" is how many seconds it waits; without it and "nonblock" it waits for ever."""
    kept: list[tuple[str, str]] = []
    at, file_seen = 1, False
    while at < len(words):
        word = words[at]
        if word in {"-c", "--command"}:
            return Peeled(Wrapper("flock", tuple(kept)), -1, at + 1) if at + 1 < len(words) else None
        if word is not None and word.startswith("-") and len(word) > 1:
            at += 1
            option, equals, value = word.partition("=")
            if option in {"-w", "--timeout", "--wait", "-E", "--conflict-exit-code"} and not equals and at < len(words):
                value = words[at] or ""
                at += 1
            if option in {"-w", "--timeout", "--wait"}:
                kept.append(("wait", value))
            elif option in {"-E", "--conflict-exit-code"}:
                kept.append(("conflict-exit-code", value))
            elif option in {"--nonblock", "--nb"} or (not option.startswith("--") and "n" in option):
                kept.append(("nonblock", "1"))
            if option in {"-s", "--shared"}:
                kept.append(("shared", "1"))
            if option in {"-u", "--unlock"}:
                kept.append(("unlock", "1"))
            continue
        if file_seen:
            break
        kept.append(("file", word or ""))
        file_seen = True
        at += 1
    return Peeled(Wrapper("flock", tuple(kept)), at if at < len(words) else -1)


def _shell(name: str, words: Sequence[Word]) -> Peeled | None:
    """`sh -c 'text'` (also `-lc`, `-ec`); a shell that runs a script file is a program of its own."""
    for at, word in enumerate(words[1:], 1):
        if word is None or not word.startswith(("-", "+")):
            return None
        if not word.startswith("--") and word.endswith("c") and at + 1 < len(words):
            return Peeled(Wrapper(name, (("errexit", "1"),) if "e" in word else ()), -1, at + 1)
    return None


def _su(name: str, words: Sequence[Word]) -> Peeled | None:
    """`su [-] user -c 'text'`, in any order."""
    user, text_at, at = "", -1, 1
    while at < len(words):
        word = words[at] or ""
        if word in {"-c", "--command"}:
            text_at = at + 1
            at += 1
        elif word in {"-s", "--shell", "-g", "-G"}:
            at += 1
        elif not word.startswith("-"):
            user = user or word
        at += 1
    return Peeled(Wrapper(name, (("user", user),) if user else ()), -1, text_at) if 0 <= text_at < len(words) else None


def _container(name: str, words: Sequence[Word]) -> Peeled | None:
    """`docker exec C cmd`, `docker run I cmd`, `docker compose exec S cmd`, `kubectl exec P -- cmd`."""
    spec = _Spec("eufpvwlmncH", _RUN_VALUES, keep=(("-w", "folder"), ("--workdir", "folder"), ("-u", "user"), ("--user", "user")))
    at, _ = _options(words, 1, spec)
    if at < len(words) and words[at] == "compose":
        name = f"{name} compose"
        at, _ = _options(words, at + 1, spec)
    if at >= len(words) or words[at] not in {"exec", "run"}:
        return None
    verb = words[at]
    at, kept = _options(words, at + 1, spec)
    if at >= len(words):
        return None
    kept.append(("container", words[at] or ""))
    at += 1
    at, more = _options(words, at, spec) if name in {"kubectl", "oc"} else (at, [])
    if at < len(words) and words[at] == "--":
        at += 1
    return Peeled(Wrapper(f"{name} {verb}", tuple(kept + more)), at) if at < len(words) else None
