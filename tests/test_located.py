"""Located values: spans, duplicates, templates, and what hostile files try."""

from __future__ import annotations

import pytest

from flowaudit.scanner.facts import UNKNOWN_VALUE
from flowaudit.scanner.located import LocatedError, flat, load_ini, load_xml, load_yaml, load_yaml_parts, neutralise

TEXT = '# ü\na: &x {b: 1, c: "ü"}\nd: *x\ne:\n  <<: *x\n  f: [1, two, 3.5, yes, null]\na: 2\n'


def test_yaml_values_and_their_bytes() -> None:
    document = load_yaml(TEXT)[0]
    data = TEXT.encode()
    found = {entry.path: (entry.value, data[entry.start:entry.end].decode()) for entry in flat(document)}
    assert found["d", "c"] == ("ü", '"ü"')
    assert found["e", "f", 3] == (True, "yes")
    assert found["e", "f", 4] == (None, "null")
    assert document.scalar("e", "b") == 1
    assert [key.text for key in document.duplicates] == ["a"]
    assert document.scalar("a") == 2


def test_json_is_read_as_yaml() -> None:
    assert load_yaml('{"a": [1, {"b": "c"}]}')[0].get("a").items[1].string("b") == "c"  # type: ignore[union-attr]


def test_templates_keep_their_bytes_and_read_as_unknown() -> None:
    text = '{{- if .Values.é }}\na: "{{ .Values.x }}"\nb: {{ .V }}/5 * * * *\n{{- end }}\nc:\n{{ toYaml .Values.y | nindent 2 }}\nd: 1\n'
    assert len(neutralise(text).encode()) == len(text.encode())
    document = load_yaml(text)[0]
    assert (document.string("a"), document.string("b"), document.scalar("c"), document.scalar("d")) == (UNKNOWN_VALUE, f"{UNKNOWN_VALUE}/5 * * * *", None, 1)
    found = document.get("d")
    assert found is not None
    assert text.encode()[found.start:found.end] == b"1"


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9))


@pytest.mark.parametrize("text", [BOMB, "[" * 5000, "a: b: c", "\t- x", "&a [*a]", "a: *nobody", "x" * 10_000_001, "a: \x00"])
def test_hostile_yaml_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(LocatedError) as caught:
        load_yaml(text)
    assert caught.value.reason


def test_a_tag_of_python_makes_no_object() -> None:
    assert load_yaml("a: !!python/object/apply:os.system [x]")[0].get("a").kind == "list"  # type: ignore[union-attr]


def test_one_broken_document_does_not_hide_the_others() -> None:
    text = "a: é\n---\nb: c: d\n---\ne: f\n"
    nodes, errors = load_yaml_parts(text)
    assert [n.string("a") or n.string("e") for n in nodes] == ["é", "f"]
    assert [e.line for e in errors] == [3]
    last = nodes[1].get("e")
    assert last is not None
    assert text.encode()[last.start:last.end] == b"f"


def test_ini_sections_continuations_and_duplicates() -> None:
    sections = load_ini("x=0\n[A]\nk = 1 \\\n  2\nk=3\n# no\nbad line\n[B b]\nz=\n")
    assert [(s.name, [(k, v) for k, v, _, _ in s.settings]) for s in sections] == [("", [("x", "0")]), ("A", [("k", "1 2"), ("k", "3")]), ("B b", [("z", "")])]
    assert sections[1].last("k") == "3"


def test_xml_elements_and_their_bytes() -> None:
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns:p="u"><p:b p:c="é">x</p:b><d/></a>'
    root = load_xml(text)
    b = root.child("b")
    assert b is not None
    assert (b.attributes, b.text, text.encode()[b.start:b.end].decode()) == ({"c": "é"}, "x", '<p:b p:c="é">x</p:b>'[:b.end - b.start])
    assert root.child("d") is not None


@pytest.mark.parametrize("text", ['<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "<a>", "", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>', "<a>" * 5000, "<a><b></a>"])
def test_hostile_xml_is_refused(text: str) -> None:
    with pytest.raises(LocatedError):
        load_xml(text)


def test_a_conditional_key_is_left_out_and_branches_are_read() -> None:
    text = "a: 1\n{{ if .z }}zone: x{{- end }}\n{{- if .é }}\nb: [c]\n{{- else }}\nb: [d]\n{{- end }}\ne: {{ if .x }}f{{ end }}\n"
    assert len(neutralise(text).encode()) == len(text.encode())
    document = load_yaml(text)[0]
    assert document.get("zone") is None
    assert [key.text for key in document.duplicates] == ["b"]
    assert UNKNOWN_VALUE in document.string("e")


def test_an_anchor_may_be_defined_anew() -> None:
    document = load_yaml("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")[0]
    assert [document.scalar(key) for key in "abcd"] == [1, 1, 2, 2]
