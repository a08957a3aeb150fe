"""The systems, queues and schedulers of the catalogue: counts that the product promises, and claims that rules rest on."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from flowaudit.scanner.catalog import Catalog, Entry, expand, load
from flowaudit.scanner.rule import STAGES

KINDS = {
    "payment",
    "courier",
    "erp",
    "wms",
    "accounting",
    "marketplace",
    "storefront",
    "tax",
    "fraud",
    "email",
    "sms",
    "crm",
    "search",
    "other",
}
HOST = re.compile(r"^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load()


def systems(catalog: Catalog) -> list[Entry]:
    """Entries that are a partner, not one language's view of it."""
    return [e for e in catalog.of_kind("system") if not e.language]


def test_at_least_120_systems_of_all_kinds(catalog: Catalog) -> None:
    found = systems(catalog)
    assert len(found) >= 120
    kinds = Counter(e.system_kind for e in found)
    assert set(kinds) == KINDS
    assert all(e.stage in STAGES for e in found)
    assert all(e.stage for e in found if e.system_kind != "other")


def test_at_least_60_vocabularies_with_a_meaning_for_each_value(catalog: Catalog) -> None:
    all_of_them = [v for e in systems(catalog) for v in e.vocabularies]
    assert len(all_of_them) >= 60
    assert len({v.id for v in all_of_them}) == len(all_of_them)
    assert [(v.id, x.value) for v in all_of_them for x in v.values if not x.meaning] == []
    assert [v.id for v in all_of_them if len({x.value for x in v.values}) != len(v.values)] == []
    assert all(v.source for v in all_of_them)


def test_a_complete_vocabulary_was_read_where_it_is_defined(catalog: Catalog) -> None:
    assert [v.id for e in systems(catalog) for v in e.vocabularies if v.complete and v.checked == "unsure"] == []


def test_retired_values_are_no_present_values(catalog: Catalog) -> None:
    for entry in systems(catalog):
        for vocabulary in entry.vocabularies:
            assert not {x.value for x in vocabulary.values} & set(vocabulary.retired), vocabulary.id


def test_hosts_look_like_hosts_and_belong_to_one_system(catalog: Catalog) -> None:
    seen: dict[str, str] = {}
    for entry in catalog.entries.values():
        for host in (*entry.hosts, *entry.hosts_verified):
            assert HOST.match(host), (entry.id, host)
            assert host not in seen, (entry.id, seen.get(host), host)
            seen[host] = entry.id
    assert len(seen) > 300


def test_a_host_that_nobody_read_anywhere_is_not_verified(catalog: Catalog) -> None:
    for entry in systems(catalog):
        if entry.checked == "unsure":
            assert entry.hosts_verified == (), entry.id


@pytest.mark.parametrize(
    ("host", "system", "verified"),
    [
        ("api.stripe.com", "stripe", True),
        ("api-m.sandbox.paypal.com", "paypal", True),
        ("acme-checkout-live.adyenpayments.com", "adyen", True),
        ("demo.myshopify.com", "shopify", True),
        ("bucket.s3.amazonaws.com", "s3", False),
        ("email.eu-west-1.amazonaws.com", "ses", False),
        ("sellingpartnerapi-eu.amazon.com", "amazon_sp_api", True),
    ],
)
def test_whose_host_it_is(catalog: Catalog, host: str, system: str, verified: bool) -> None:
    found = catalog.host(host)
    assert found is not None
    assert (found[0].id, found[1]) == (system, verified)


@pytest.mark.parametrize("host", ["example.com", "stripe.com.evil.test", "localhost", "com"])
def test_a_strange_host_is_nobodys(catalog: Catalog, host: str) -> None:
    assert catalog.host(host) is None


@pytest.mark.parametrize(
    ("language", "module", "system"),
    [
        ("python", "stripe.error", "stripe"),
        ("php", "Stripe\\Checkout\\Session", "stripe"),
        ("typescript", "stripe", "stripe"),
        ("php", "Mollie\\Api\\MollieApiClient", "mollie"),
        ("javascript", "@adyen/api-library", "adyen"),
        ("python", "sp_api.api", "amazon_sp_api"),
    ],
)
def test_whose_package_it_is(catalog: Catalog, language: str, module: str, system: str) -> None:
    entry = catalog.module(language, module)
    assert entry is not None
    assert entry.id == system


def test_defaults_move_between_versions(catalog: Catalog) -> None:
    stripe = catalog.entries["stripe"]
    sdk = next(s for s in stripe.sdks if s.language == "javascript" and s.package == "stripe")
    assert sdk.retry is not None
    assert sdk.retry.attempts == 3
    assert [(v.below, v.retry.attempts if v.retry else None) for v in sdk.versions] == [("13.0.0", 1), ("17.0.0", 2)]


def test_a_payment_intent_never_has_the_status_failed(catalog: Catalog) -> None:
    vocabulary = next(v for v in catalog.entries["stripe"].vocabularies if v.id == "stripe_payment_intent")
    assert vocabulary.complete
    assert "failed" not in {x.value for x in vocabulary.values}
    assert {x.value: x.terminal for x in vocabulary.values}["requires_payment_method"] is False


def test_wire_values_carry_no_field_prefix(catalog: Catalog) -> None:
    strange = [(v.id, x.value) for e in systems(catalog) for v in e.vocabularies for x in v.values if "=" in x.value]
    assert strange == []


def sdks(catalog: Catalog) -> list[Entry]:
    """Entries that are one language's view of a system."""
    return [e for e in catalog.of_kind("system") if e.language]


def test_a_language_file_belongs_to_a_system_and_says_the_same_defaults(catalog: Catalog) -> None:
    assert len(sdks(catalog)) >= 60
    for entry in sdks(catalog):
        system, _, language = entry.id.rpartition("-")
        base = catalog.entries[system]
        assert language == entry.language
        assert entry.symbols
        assert {s.system for s in entry.symbols} == {system}
        if entry.packages:
            sdk = next(s for s in base.sdks if s.language == language and s.package == entry.packages[0])
            assert (sdk.timeout, sdk.retry, sdk.versions) == (entry.timeout, entry.retry, entry.versions)


def test_a_call_of_a_system_says_its_stage_and_only_known_effects(catalog: Catalog) -> None:
    for entry in sdks(catalog):
        for symbol in entry.symbols:
            if symbol.role == "call":
                assert symbol.effect in {"", "read", "write", "idempotent-write", "create"}, (entry.id, symbol.name)
                assert symbol.stage in STAGES, (entry.id, symbol.name, symbol.stage)
                assert symbol.effect or symbol.note, (entry.id, symbol.name)


def test_no_name_means_two_things_in_one_language(catalog: Catalog) -> None:
    seen: dict[tuple[str, str], object] = {}
    for entry in sdks(catalog):
        for symbol in entry.symbols:
            for written in (symbol.name, *symbol.aliases):
                for name in expand(written):
                    if name.startswith("?."):
                        continue
                    assert seen.setdefault((entry.language, name), symbol) is symbol, (entry.id, name)


@pytest.mark.parametrize(
    ("language", "name", "effect", "record"),
    [
        ("python", "stripe.PaymentIntent.create", "create", "payment"),
        ("python", "stripe.StripeClient.v1.payment_intents.create", "create", "payment"),
        ("python", "stripe.Refund.create", "create", "refund"),
        ("python", "stripe.PaymentIntent.retrieve", "read", ""),
        ("php", "Stripe\\StripeClient.paymentIntents.create", "create", "payment"),
        ("php", "Braintree\\Gateway.transaction().sale", "create", "payment"),
        ("php", "Mollie\\Api\\MollieApiClient.payments.create", "create", "payment"),
        ("typescript", "stripe.Stripe.paymentIntents.create", "create", "payment"),
        ("javascript", "@easypost/api.EasyPostClient.Shipment.buy", "idempotent-write", "shipment"),
        ("javascript", "razorpay.Razorpay.payments.refund", "create", "refund"),
        ("javascript", "jsforce.Connection.sobject().upsert", "idempotent-write", "customer"),
        ("python", "taxjar.Client.tax_for_order", "read", "tax"),
        ("python", "twilio.rest.Client.messages.create", "create", "message"),
    ],
)
def test_what_a_call_does(catalog: Catalog, language: str, name: str, effect: str, record: str) -> None:
    known = catalog.symbol(language, name)
    assert known is not None
    assert known.symbol.role == "call"
    assert (known.symbol.effect, known.symbol.record) == (effect, record)


@pytest.mark.parametrize(
    ("language", "name", "key"),
    [
        ("python", "stripe.PaymentIntent.create", "idempotency_key"),
        ("javascript", "stripe.Stripe.paymentIntents.create", "1.idempotencyKey"),
        ("php", "Stripe\\PaymentIntent.create", "1.idempotency_key"),
        ("python", "square.Square.payments.create", "idempotency_key"),
        ("javascript", "@adyen/api-library.CheckoutAPI.PaymentsApi.payments", "1.idempotencyKey"),
        ("python", "xero_python.accounting.AccountingApi.create_invoices", "idempotency_key"),
    ],
)
def test_where_the_idempotency_key_stands(catalog: Catalog, language: str, name: str, key: str) -> None:
    known = catalog.symbol(language, name)
    assert known is not None
    assert key in known.symbol.key


def test_a_client_answers_an_instance_whose_calls_are_known(catalog: Catalog) -> None:
    client = catalog.symbol("javascript", "stripe")
    assert client is not None
    assert client.symbol.instance == "stripe.Stripe"
    assert catalog.symbol("javascript", client.symbol.instance + ".refunds.create") is not None


@pytest.mark.parametrize(
    ("language", "name"),
    [
        ("python", "stripe.PaymentIntent.unheard_of"),
        ("javascript", "epirts"),
        ("php", "Stripe\\PaymentIntent"),
        ("python", "braintree.BraintreeGateway.transaction"),
    ],
)
def test_a_name_that_is_no_call_is_none(catalog: Catalog, language: str, name: str) -> None:
    known = catalog.symbol(language, name)
    assert known is None or known.symbol.role != "call"


def test_odoo_reads_are_no_writes(catalog: Catalog) -> None:
    known = catalog.received("python", "execute_kw", "models")
    assert known is not None
    assert "4=search_read" in known.symbol.unless
    assert catalog.received("python", "execute_kw", "cursor") is None


PLATFORMS = (
    "crontab", "kubernetes-cronjob", "celery-beat", "laravel-scheduler", "airflow", "github-actions", "magento-cron", "quartz", "systemd-timer", "ofelia",
    "apscheduler", "gitlab-schedule", "jenkins", "django-crontab", "huey", "rq-scheduler", "frappe-scheduler", "odoo-cron", "symfony-scheduler",
    "shopware-scheduled-task", "wp-cron", "action-scheduler", "node-cron", "agenda", "bullmq-repeat", "nestjs-schedule", "set-interval", "whenever",
    "sidekiq-cron", "clockwork", "spring-scheduled", "hangfire", "eventbridge", "google-cloud-scheduler", "vercel-cron", "heroku-scheduler", "uwsgi-cron",
    "puppet-cron", "ansible-cron",
)  # fmt: skip


@pytest.mark.parametrize("platform", PLATFORMS)
def test_each_platform_of_the_extractors_is_known(catalog: Catalog, platform: str) -> None:
    entry = catalog.entries[platform]
    assert entry.kind == "scheduler"


def test_schedulers_say_what_overlap_a_downtime_and_a_failure_do(catalog: Catalog) -> None:
    for entry in (e for e in catalog.of_kind("scheduler") if not e.symbols):
        assert entry.overlap in {"never", "possible", "queued"}, entry.id
        assert entry.catch_up in {"none", "one", "all"}, entry.id
        assert entry.zone in {"host", "UTC", "setting", "process", "interval"}, entry.id
        assert entry.notifies is not None, entry.id
        assert entry.detect, entry.id
        assert entry.source, entry.id


def test_queues_say_how_often_a_message_arrives(catalog: Catalog) -> None:
    found = [e for e in catalog.of_kind("queue") if not e.symbols]
    assert len(found) >= 25
    for entry in found:
        assert entry.delivery in {"at-most-once", "at-least-once", "depends"}, entry.id
        assert entry.detect, entry.id
        assert entry.source, entry.id


def test_a_setting_has_a_key_a_default_and_says_how_sure_it_is(catalog: Catalog) -> None:
    for entry in (*catalog.of_kind("queue"), *catalog.of_kind("scheduler")):
        for setting in entry.config:
            assert set(setting) <= {"key", "default", "why", "checked"}, entry.id
            assert setting["key"], entry.id
            assert setting["checked"] in {"read-in-source", "read-in-docs", "unsure"}, (entry.id, setting)


@pytest.mark.parametrize(
    ("platform", "overlap"),
    [
        ("crontab", "possible"),
        ("kubernetes-cronjob", "possible"),
        ("celery-beat", "possible"),
        ("systemd-timer", "never"),
        ("magento-cron", "never"),
        ("apscheduler", "never"),
        ("symfony-scheduler", "queued"),
        ("set-interval", "possible"),
    ],
)
def test_whether_runs_meet(catalog: Catalog, platform: str, overlap: str) -> None:
    assert catalog.entries[platform].overlap == overlap


@pytest.mark.parametrize(
    ("queue", "key", "default"),
    [
        ("celery", "task_acks_late", "False"),
        ("laravel-queue", "after_commit", "false"),
        ("sqs", "VisibilityTimeout", "30 s"),
        ("kafka", "auto.offset.reset", "latest"),
    ],
)
def test_defaults_of_queues(catalog: Catalog, queue: str, key: str, default: str) -> None:
    found = {s["key"]: s["default"] for s in catalog.entries[queue].config}
    assert found[key].startswith(default)
