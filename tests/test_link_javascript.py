"""Calls in JavaScript and TypeScript lead where they go: through injected services, both module systems, and functions in tables."""

from __future__ import annotations

import pytest
from lowered_javascript import lowered

from flowaudit.scanner import catalog
from flowaudit.scanner.program import build
from flowaudit.scanner.resolve import Resolver
from flowaudit.scanner.show import expr

FILES = {
    "src/pay.service.ts": """
        import { HttpService } from '@nestjs/axios';
        import api, { send as dispatch } from './api';
        import * as util from './util';
        type Deps = { http: HttpService; audit: Audit };
        @Injectable()
        export class PayService {
          constructor(private readonly http: HttpService, private audit: Audit) {}
          async pay(order) {
            await this.http.post(url);
            this.audit.log(order);
            api.fetch(order);
            dispatch(order);
            util.help(order);
            lines.forEach(line => this.later(line));
            this.prompt();
          }
          later(line) {}
          prompt = () => 1;
        }
        export class Audit { log(order) {} }
        export class Medusa {
          constructor({ http, audit }: Deps) { this.audit_ = audit; this.http_ = http; }
          run() { this.audit_.log(1); this.http_.get(url); }
        }
        """,
    "src/api.ts": "export default { async fetch(order) { return 1 } };\nexport const send = async (order) => order;\n",
    "src/util/index.js": "module.exports = { help, other: () => 1 };\nfunction help() {}\n",
    "src/main.js": "const { help: assist } = require('./util'), all = require('./util'), run = require('./run');\nassist(1); all.other(); run(); gone();\n",
    "src/run.js": "module.exports = async function () {};\n",
}


@pytest.fixture(scope="module")
def targets() -> dict[str, list[str]]:
    program = build({path: lowered(text, path) for path, text in FILES.items()})
    resolver = Resolver(program, catalog.load())
    return {
        expr(event.node).partition("(")[0]: [target.name for target in resolver.targets(unit, event)]  # type: ignore[arg-type]
        for unit in program.units.values() for event in unit.flow.calls}


@pytest.mark.parametrize(("call", "target"), [
    ("self.http.post", "@nestjs/axios.HttpService.post"),
    ("self.audit.log", "src/pay.service.ts::Audit.log"),
    ("api.fetch", "src/api.ts::default.fetch"),
    ("dispatch", "src/api.ts::send"),
    ("util.help", "src/util/index.js::help"),
    ("self.later", "src/pay.service.ts::PayService.later"),
    ("self.prompt", "src/pay.service.ts::PayService.prompt"),
    ("self.audit_.log", "src/pay.service.ts::Audit.log"),
    ("self.http_.get", "@nestjs/axios.HttpService.get"),
    ("assist", "src/util/index.js::help"),
    ("all.other", "src/util/index.js::default.other"),
    ("run", "src/run.js::default"),
])
def test_a_call_leads_to(targets: dict[str, list[str]], call: str, target: str) -> None:
    assert targets[call] == [target]


def test_a_call_of_nothing_known_leads_nowhere(targets: dict[str, list[str]]) -> None:
    assert all("::" not in name for name in targets["gone"])
