"""Kubernetes CronJobs: manifests, patches, Helm templates."""

from __future__ import annotations

from schedule_reading import options, programs, read, schedules, settings

from flowaudit.scanner.extractors.schedules import kubernetes_cronjob
from flowaudit.scanner.facts import UNKNOWN_VALUE

PLAIN = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: x}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: export-orders
spec:
  schedule: "*/5 * * * *"
  timeZone: Europe/Berlin
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 60
  jobTemplate:
    spec:
      activeDeadlineSeconds: 240
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
            - name: app
              image: shop/app:1.2
              command: ["/bin/sh", "-ec"]
              args:
                - |
                  cd /srv
                  timeout 100 php bin/console orders:export
"""


def test_a_plain_manifest() -> None:
    facts = read(kubernetes_cronjob, "k8s/cron.yaml", PLAIN)
    (job,) = schedules(facts)
    assert (job.name, job.when, job.zone, job.platform, job.dialect) == ("export-orders", "*/5 * * * *", "Europe/Berlin", "kubernetes-cronjob", "kubernetes")
    kept = options(job)
    assert (kept["concurrencyPolicy"], kept["activeDeadlineSeconds"], kept["backoffLimit"], kept["restartPolicy"]) == ("Forbid", 240, 0, "Never")
    assert programs(facts, job) == ["set", "orders:export"]
    assert facts.line(job.start) == 10


def test_a_command_list_and_a_list_of_manifests() -> None:
    text = """{"kind": "List", "items": [{"kind": "CronJob", "metadata": {"name": "a"}, "spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec":
    {"containers": [{"name": "x", "command": ["python", "manage.py", "sync stock"]}]}}}}}}]}"""
    facts = read(kubernetes_cronjob, "cron.json", text)
    (job,) = schedules(facts)
    assert programs(facts, job) == ["sync stock"]
    assert "concurrencyPolicy" not in options(job)


HELM = """\
{{- if .Values.cron.enabled }}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "shop.fullname" . }}-export
  labels:
    {{- include "shop.labels" . | nindent 4 }}
spec:
  schedule: {{ .Values.cron.schedule | quote }}
  concurrencyPolicy: {{ .Values.cron.policy }}
  jobTemplate:
    spec:
      template:
        spec:
          containers:
            - image: "{{ .Values.image }}:{{ .Values.tag }}"
              args: ["orders:export", "--since={{ .Values.since }}"]
              {{- with .Values.resources }}
              resources: {{ toYaml . | nindent 16 }}
              {{- end }}
{{- end }}
"""


def test_a_helm_template_says_what_it_cannot_know() -> None:
    facts = read(kubernetes_cronjob, "templates/cron.yaml", HELM)
    (job,) = schedules(facts)
    assert (job.when, job.name) == (UNKNOWN_VALUE, f"{UNKNOWN_VALUE}-export")
    kept = options(job)
    assert kept["schedule_from"] == ".Values.cron.schedule | quote"
    assert kept["concurrencyPolicy"] == UNKNOWN_VALUE
    assert programs(facts, job) == ["orders:export"]
    assert facts.skipped == ()


def test_a_kustomize_patch_becomes_settings() -> None:
    facts = read(kubernetes_cronjob, "overlays/prod/cron.yaml", "kind: CronJob\nmetadata:\n  name: a\nspec:\n  concurrencyPolicy: Forbid\n")
    assert schedules(facts) == []
    assert settings(facts) == {"cronjob.a.concurrencyPolicy": "Forbid"}


def test_problems() -> None:
    text = 'kind: CronJob\nspec:\n  schedule: "0 24 * * *"\n---\nkind: CronJob\nspec:\n  schedule: "0 1 * * *"\n  schedule: "0 2 * * *"\n'
    facts = read(kubernetes_cronjob, "a.yaml", text)
    first, second = schedules(facts)
    assert "outside" in str(options(first)["problem"])
    assert (second.when, options(second)["duplicate_key"]) == ("0 2 * * *", "schedule")
    assert "problem" not in options(second)


def test_what_is_no_cronjob_and_what_is_no_yaml() -> None:
    assert schedules(read(kubernetes_cronjob, "a.yaml", "kind: Job\nspec: {schedule: x}\n")) == []
    broken = read(kubernetes_cronjob, "a.yaml", "kind: CronJob\nspec: a: b\n")
    assert [(s.line, s.by) for s in broken.skipped] == [(2, "kubernetes_cronjob")]
