"""Magento's crontab.xml."""

from __future__ import annotations

from schedule_reading import options, read, schedules, settings

from flowaudit.scanner.extractors.schedules import magento_cron
from flowaudit.scanner.facts import UNKNOWN_VALUE

XML = r"""<?xml version="1.0"?>
<config xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="urn:magento:module:Magento_Cron:etc/crontab.xsd">
    <group id="erp">
        <job name="export_orders" instance="Vendor\Erp\Cron\ExportOrders" method="execute">
            <schedule>*/5 * * * *</schedule>
        </job>
        <job name="sync_stock" instance="Vendor\Erp\Cron\SyncStock" method="run">
            <config_path>erp/cron/stock</config_path>
        </job>
        <job name="export_orders" instance="Vendor\Erp\Cron\Other" method="execute"><schedule>0 24 * * *</schedule></job>
    </group>
</config>
"""


def test_jobs() -> None:
    facts = read(magento_cron, "etc/crontab.xml", XML)
    export, stock, again = schedules(facts)
    assert (export.name, export.when, export.target, export.target_kind) == ("export_orders", "*/5 * * * *", r"Vendor\Erp\Cron\ExportOrders::execute", "callable")
    assert facts.line(export.start) == 5
    assert (stock.when, options(stock)["config_path"], "problem" in options(stock)) == (UNKNOWN_VALUE, "erp/cron/stock", False)
    assert (options(again)["duplicate_key"], "outside" in str(options(again)["problem"])) == ("export_orders", True)


def test_groups() -> None:
    text = '<config><group id="erp"><schedule_lifetime>2</schedule_lifetime><use_separate_process>1</use_separate_process></group></config>'
    assert settings(read(magento_cron, "etc/cron_groups.xml", text)) == {"cron_group.erp.schedule_lifetime": "2", "cron_group.erp.use_separate_process": "1"}


def test_broken_xml_is_skipped_with_its_line() -> None:
    facts = read(magento_cron, "etc/crontab.xml", "<config>\n<group>\n</config>")
    assert (facts.facts, facts.skipped[0].line) == ((), 3)
