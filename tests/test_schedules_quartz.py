"""Quartz and Spring schedules in XML and properties."""

from __future__ import annotations

from schedule_reading import options, read, schedules

from flowaudit.scanner.extractors.schedules import quartz
from flowaudit.scanner.facts import UNKNOWN_VALUE

SPRING = """<?xml version="1.0"?>
<beans xmlns="http://www.springframework.org/schema/beans" xmlns:task="t" xmlns:p="p">
  <bean id="exporter" class="shop.Exporter"/>
  <bean id="exportDetail" class="org.springframework.scheduling.quartz.MethodInvokingJobDetailFactoryBean">
    <property name="targetObject" ref="exporter"/><property name="targetMethod" value="run"/><property name="concurrent" value="false"/>
  </bean>
  <bean id="exportTrigger" class="org.springframework.scheduling.quartz.CronTriggerFactoryBean">
    <property name="jobDetail" ref="exportDetail"/>
    <property name="cronExpression"><value>0 0/5 * * * ?</value></property>
  </bean>
  <bean id="t2" class="org.springframework.scheduling.quartz.CronTriggerFactoryBean" p:cronExpression="${cron}"/>
  <bean id="t3" class="org.springframework.scheduling.quartz.SimpleTriggerFactoryBean" p:repeatInterval="60000"/>
  <bean id="t4" class="org.springframework.scheduling.quartz.CronTriggerFactoryBean" p:cronExpression="0 0 12 * * *"/>
  <task:scheduled-tasks>
    <task:scheduled ref="exporter" method="close" cron="0 30 2 * * *"/>
    <task:scheduled ref="exporter" method="poll" fixed-delay="5000"/>
  </task:scheduled-tasks>
</beans>
"""


def test_spring_xml() -> None:
    found = {job.name: job for job in schedules(read(quartz, "src/main/resources/jobs.xml", SPRING))}
    assert {name: (job.platform, job.dialect, job.when, job.target) for name, job in found.items()} == {
        "exportTrigger": ("quartz", "quartz", "0 0/5 * * * ?", "shop.Exporter.run"), "t2": ("quartz", "quartz", UNKNOWN_VALUE, UNKNOWN_VALUE),
        "t3": ("quartz", "interval", "60", UNKNOWN_VALUE), "t4": ("quartz", "quartz", "0 0 12 * * *", UNKNOWN_VALUE),
        "exporter.close": ("spring-scheduled", "spring", "0 30 2 * * *", "shop.Exporter.close"),
        "exporter.poll": ("spring-scheduled", "interval", "5", "shop.Exporter.poll"),
    }
    assert options(found["exportTrigger"])["disallowConcurrentExecution"] is True
    assert "?" in str(options(found["t4"])["problem"])


def test_quartz_job_data() -> None:
    text = """<job-scheduling-data><schedule><job><name>a</name><job-class>shop.A</job-class></job>
    <trigger><cron><name>ta</name><job-name>a</job-name><cron-expression>0 0 3 ? * MON</cron-expression><time-zone>Europe/Berlin</time-zone></cron></trigger>
    </schedule></job-scheduling-data>"""
    (job,) = schedules(read(quartz, "quartz_data.xml", text))
    assert (job.name, job.when, job.zone, job.target) == ("ta", "0 0 3 ? * MON", "Europe/Berlin", "shop.A")


def test_properties() -> None:
    text = "# cron\nexport.cron=0 0/5 * * * ?\nclose.cron: 0 30 2 * * MON-FRI\nother=0 0 1 1 1 1\nx.cron=${CRON}\nname=cron job\n"
    found = schedules(read(quartz, "application.properties", text))
    assert [(job.name, job.dialect) for job in found] == [("export.cron", "quartz"), ("close.cron", "spring")]


def test_yaml_settings() -> None:
    (job,) = schedules(read(quartz, "application.yml", "jobs:\n  export:\n    cronExpression: '0 0/5 * * * ?'\n    enabled: true\n  other: {cron: off}\n"))
    assert (job.name, job.platform, job.when) == ("jobs.export.cronExpression", "quartz", "0 0/5 * * * ?")


def test_other_xml() -> None:
    assert schedules(read(quartz, "pom.xml", "<project><dependency><artifactId>quartz</artifactId></dependency></project>")) == []
    assert read(quartz, "a.xml", "<a><b></a>").skipped[0].by == "quartz"
