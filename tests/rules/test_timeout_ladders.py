"""missing-timeout/inversion over the ladder of limits: proxies before servers, servers and functions around calls, and where nothing may be said."""
# ruff: noqa: E501 - code samples stand on one line

from __future__ import annotations

import pytest

from flowaudit.scanner.rule import Finding
from tests.audit import audit

RULE = "missing-timeout"
NGINX = "server {{\n  location ~ \\.php$ {{\n    fastcgi_pass php:9000;\n{more}  }}\n}}\n"
APACHE = '<VirtualHost *:80>\n{more}  <FilesMatch "\\.php$">\n    SetHandler "proxy:fcgi://php:9000"\n  </FilesMatch>\n</VirtualHost>\n'


def inversions(files: dict[str, str]) -> list[Finding]:
    return [f for f in audit(RULE, files) if f.id == "missing-timeout/inversion"]


# ---- a proxy in front of PHP -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("path", "text", "line"),
    [
        ("nginx/site.conf", NGINX.format(more="    fastcgi_read_timeout 120s;\n"), 4),
        ("nginx/site.conf", NGINX.format(more=""), 2),
        ("apache/site.conf", APACHE.format(more=""), 1),
        ("apache/site.conf", APACHE.format(more="  ProxyTimeout 90\n"), 2),
        ("apache/site.conf", APACHE.format(more="  Timeout 90\n"), 2),
    ],
)
@pytest.mark.parametrize(
    ("server", "limit"),
    [
        ("php/conf.d/limits.ini", "max_execution_time = 300\n"),
        ("php/www.conf", "[www]\nrequest_terminate_timeout = 300s\n"),
        ("php/www.conf", "[www]\nphp_admin_value[max_execution_time] = 300\n"),
        ("php/Dockerfile", "FROM php:8-fpm\nENV MAX_TIME 300\nRUN echo 'max_execution_time=${MAX_TIME}' > /usr/local/etc/php/conf.d/x.ini\n"),
    ],
)
def test_a_proxy_gives_up_before_php_is_done(path: str, text: str, line: int, server: str, limit: str) -> None:
    (found,) = inversions({path: text, server: limit})
    assert (found.at.path, found.at.line) == (path, line)
    assert "300 s" in found.message
    assert [s.at.path for s in found.path] == [path, server]
    assert "300 s" in found.fix


@pytest.mark.parametrize(
    "files",
    [
        {"nginx/site.conf": NGINX.format(more="    fastcgi_read_timeout 300s;\n"), "php/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more="    fastcgi_read_timeout 10m;\n"), "php/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more=""), "php/x.ini": "max_execution_time = 60\n"},
        {"nginx/site.conf": NGINX.format(more=""), "php/x.ini": "max_execution_time = 0\n"},
        {"nginx/site.conf": NGINX.format(more=""), "php-cli/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more=""), "docker/worker/Dockerfile": "RUN echo 'max_execution_time=300' > x.ini\n"},
        {"nginx/site.conf": NGINX.format(more=""), "docker/dev/php.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more="    include custom.conf;\n"), "php/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more="    fastcgi_read_timeout ${READ_TIMEOUT};\n"), "php/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more="    fastcgi_read_timeout {{ read_timeout }};\n"), "php/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more=""), "nginx/nginx.conf": "http {\n  fastcgi_read_timeout 600;\n  include site.conf;\n}\n", "php/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more=""), "a/x.ini": "max_execution_time = 300\n", "b/x.ini": "max_execution_time = 900\n"},
        {"nginx/site.conf": NGINX.format(more="").replace("~ \\.php$", "^~ /autodiscover.xml"), "php/x.ini": "max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more=""), "php/x.ini": "; max_execution_time = 300\n"},
        {"nginx/site.conf": NGINX.format(more="").replace("php:9000", "php:9000;\n    fastcgi_buffering off"), "php/Dockerfile": "RUN echo 'max_execution_time=$MAX' > x.ini\n"},
        {"apache/site.conf": APACHE.format(more="  ProxyTimeout 300\n"), "php/x.ini": "max_execution_time = 300\n"},
        {"apache/site.conf": APACHE.format(more="  ProxyTimeout ${MAX_TIME}\n"), "php/x.ini": "max_execution_time = 300\n"},
        {"apache/site.conf": APACHE.format(more=""), "apache/httpd.conf": "Timeout 600\nListen 80\nProxyPass /x http://x/\n", "php/x.ini": "max_execution_time = 300\n"},
    ],
    ids=str,
)
def test_no_word_where_the_ladder_fits_or_is_not_known(files: dict[str, str]) -> None:
    assert inversions(files) == []


def test_usr_local_is_no_folder_of_developers() -> None:
    assert len(inversions({"nginx/site.conf": NGINX.format(more=""), "image/usr/local/etc/php/php.ini": "max_execution_time = 300\n"})) == 1
    assert inversions({"nginx/site.conf": NGINX.format(more=""), "docker/local/php.ini": "max_execution_time = 300\n"}) == []


def test_several_proxies_before_one_server_are_one_finding() -> None:
    found = inversions({
        "nginx/a.conf": NGINX.format(more="    fastcgi_read_timeout 100;\n"), "nginx/b.conf": NGINX.format(more="    fastcgi_read_timeout 120;\n"),
        "php/x.ini": "max_execution_time = 3600\n",
    })  # fmt: skip
    assert [(f.at.path, f.places) for f in found] == [("nginx/a.conf", 2)]
    assert "nginx/b.conf" in {s.at.path for s in found[0].related}


def test_two_applications_are_told_apart_by_their_names() -> None:
    two = "server {\n  location ~ \\.php$ {\n    fastcgi_pass shop-fpm:9000;\n  }\n}\n"
    assert inversions({"nginx/site.conf": two, "containers/shop/x.ini": "max_execution_time = 30\n", "containers/erp/x.ini": "max_execution_time = 900\n"}) == []
    (found,) = inversions({"nginx/site.conf": two, "containers/shop/x.ini": "max_execution_time = 300\n", "containers/erp/x.ini": "max_execution_time = 900\n"})
    assert found.path[1].at.path == "containers/shop/x.ini"


# ---- Python servers ----------------------------------------------------------------------------------------------------------------
HTTP = "upstream app {{\n  server web:8000;\n}}\nserver {{\n  location / {{\n    proxy_pass http://app;\n{more}  }}\n}}\n"
COMPOSE = "services:\n  web:\n    command: gunicorn shop.wsgi --timeout {timeout} -b 0.0.0.0:8000{more}\n"


def test_a_proxy_before_gunicorn() -> None:
    (found,) = inversions({"nginx/site.conf": HTTP.format(more=""), "docker-compose.yml": COMPOSE.format(timeout=180, more="")})
    assert (found.at.path, found.confidence) == ("nginx/site.conf", "medium")
    (found,) = inversions({"nginx/site.conf": HTTP.format(more="    proxy_read_timeout 90;\n"), "docker-compose.yml": COMPOSE.format(timeout=180, more="")})
    assert (found.at.line, found.confidence) == (7, "high")
    assert inversions({"nginx/site.conf": HTTP.format(more="    proxy_read_timeout 3m;\n"), "docker-compose.yml": COMPOSE.format(timeout=180, more="")}) == []
    assert inversions({"nginx/site.conf": HTTP.format(more=""), "docker-compose.yml": COMPOSE.format(timeout=180, more=" -k gevent")}) == []
    assert inversions({"nginx/site.conf": HTTP.format(more="").replace("web:8000", "node:3000"), "docker-compose.yml": COMPOSE.format(timeout=180, more="")}) == []


ROUTE = "import requests\nfrom flask import Flask\napp = Flask(__name__)\n@app.post('/checkout')\ndef checkout():\n    requests.post('https://erp.example.com/orders', timeout={timeout})\n"


@pytest.mark.parametrize(
    "server",
    [
        {"Procfile": "web: gunicorn shop:app --workers 4\n"},
        {"Dockerfile": 'FROM python\nCMD ["gunicorn", "shop:app", "--timeout", "30"]\n'},
        {"gunicorn.conf.py": "bind = '0.0.0.0:8000'\nworkers = 4\n"},
        {"uwsgi.ini": "[uwsgi]\nharakiri = 30\n"},
        {"deploy/shop.service": "[Service]\nExecStart=/venv/bin/gunicorn -t 30 shop:app\n"},
    ],
    ids=lambda s: next(iter(s)),
)
def test_a_call_in_a_page_above_the_servers_limit(server: dict[str, str]) -> None:
    (found,) = inversions({"shop.py": ROUTE.format(timeout=45), **server})
    assert (found.at.path, found.at.line) == ("shop.py", 6)
    assert "45 s" in found.message
    assert "30 s" in found.message
    assert [s.at.path for s in found.related] == [next(iter(server))]
    assert "24 s" in found.fix
    assert inversions({"shop.py": ROUTE.format(timeout=20), **server}) == []


def test_servers_that_serve_many_requests_at_once_cut_none_off() -> None:
    for command in ("gunicorn shop:app -k uvicorn.workers.UvicornWorker", "gunicorn shop:app --threads 8", "gunicorn shop:app -c conf.py", "gunicorn shop:app --timeout 0"):
        assert inversions({"shop.py": ROUTE.format(timeout=45), "Procfile": f"web: {command}\n"}) == []


def test_the_finding_shows_the_whole_ladder() -> None:
    files = {
        "shop.py": ROUTE.format(timeout=120), "Procfile": "web: gunicorn shop:app -t 100 -b 0.0.0.0:8000\n",
        "nginx/site.conf": HTTP.format(more="    proxy_read_timeout 110;\n"),
    }  # fmt: skip
    (found,) = inversions(files)
    assert [s.note.split(":")[0] for s in found.related] == ["nginx", "the application server"]
    assert "110 s" in found.message
    assert "100 s" in found.message


# ---- functions and workers ---------------------------------------------------------------------------------------------------------
def test_a_call_above_all_workers_time_limit() -> None:
    task = "import requests\nfrom celery import shared_task\n@shared_task\ndef export(order):\n    requests.post('https://erp.example.com/orders', json=order, timeout={0})\n"
    settings = "CELERY_BROKER_URL = 'redis://r'\nCELERY_TASK_TIME_LIMIT = 60\n"
    (found,) = inversions({"shop/tasks.py": task.format(90), "shop/settings.py": settings})
    assert found.related[0].at.path == "shop/settings.py"
    assert inversions({"shop/tasks.py": task.format(50), "shop/settings.py": settings}) == []
    assert inversions({"shop/tasks.py": task.format(90), "shop/settings.py": settings.replace("60", "LIMIT")}) == []


SAM = (
    "Resources:\n  Orders:\n    Type: AWS::Serverless::Function\n    Properties:\n      CodeUri: src/orders/\n      Handler: main.run\n      Timeout: {timeout}\n"
    "      Events:\n        Queue:\n          Type: {event}\n"
)
SQS = "SQS\n          Properties:\n            Queue: !GetAtt OrderQueue.Arn\n"
API = "Api\n          Properties:\n            Path: /orders\n            Method: post\n"
HANDLER = "import requests\ndef run(event, context):\n    requests.post('https://erp.example.com/orders', json=event, timeout={0})\n"


def test_a_function_is_tied_to_its_code_and_its_limits() -> None:
    (found,) = inversions({"svc/template.yaml": SAM.format(timeout=20, event=SQS), "svc/src/orders/main.py": HANDLER.format(25)})
    assert found.at.path == "svc/src/orders/main.py"
    assert "the function's timeout allows 20 s" in found.message
    assert found.path[0].at.path == "svc/template.yaml"
    assert inversions({"svc/template.yaml": SAM.format(timeout=30, event=SQS), "svc/src/orders/main.py": HANDLER.format(25)}) == []
    assert inversions({"svc/template.yaml": SAM.format(timeout=20, event=SQS), "other/src/orders/main.py": HANDLER.format(25)}) == []


def test_a_gateway_waits_less_than_its_function_may_take() -> None:
    (found,) = inversions({"template.yaml": SAM.format(timeout=60, event=API), "src/orders/main.py": HANDLER.format(40)})
    assert "the gateway in front of the function allows 29 s" in found.message
    assert [s.note.partition(":")[0] for s in found.related] == ["the gateway in front of the function", "the function's timeout"]


def test_serverless_functions_are_tied_too() -> None:
    config = "service: shop\nprovider:\n  timeout: 10\nfunctions:\n  order:\n    handler: src/order.run\n    events:\n      - {0}\n"
    code = "import axios from 'axios'\nexport const run = async (event) => {\n  await axios.post('https://erp.example.com/orders', event, { timeout: 15000 })\n}\n"
    for event in ("httpApi: 'POST /orders'", "sqs: arn:aws:sqs:eu-west-1:1:orders"):
        (found,) = inversions({"serverless.yml": config.format(event), "src/order.ts": code})
        assert (found.at.path, found.at.line) == ("src/order.ts", 3)
    assert inversions({"serverless.yml": config.format("httpApi: 'POST /orders'").replace("10", "20"), "src/order.ts": code}) == []


@pytest.mark.parametrize("limit", ["export const maxDuration = 30", "export const config = { maxDuration: 30 }"])
def test_a_route_says_how_long_it_may_run(limit: str) -> None:
    code = "import axios from 'axios'\n{0}\nexport async function POST(request) {{\n  await axios.post('https://erp.example.com/orders', {{}}, {{ timeout: {1} }})\n}}\n"
    (found,) = inversions({"app/api/orders/route.ts": code.format(limit, 45000)})
    assert "allows 30 s" in found.message
    assert inversions({"app/api/orders/route.ts": code.format(limit, 20000)}) == []
    assert inversions({"app/api/orders/route.ts": code.format(limit.replace("30", "LIMIT"), 45000)}) == []


def test_a_queue_hands_the_message_on_before_the_call_ends() -> None:
    queue = "  OrderQueue:\n    Type: AWS::SQS::Queue\n    Properties:\n      VisibilityTimeout: {0}\n"
    files = {"template.yaml": SAM.format(timeout=60, event=SQS) + queue.format(30), "src/orders/main.py": HANDLER.format(45)}
    (found,) = inversions(files)
    assert "hands the message to another worker, allows 30 s" in found.message
    assert inversions({**files, "template.yaml": SAM.format(timeout=60, event=SQS) + queue.format(360)}) == []
    job = "<?php\nnamespace App\\Jobs;\nuse Illuminate\\Contracts\\Queue\\ShouldQueue;\nuse Illuminate\\Support\\Facades\\Http;\nclass ExportOrder implements ShouldQueue {\n  public $tries = 3;\n  public function handle() {\n    Http::timeout(120)->post('https://erp.example.com/orders', []);\n  }\n}\n"
    settings = "<?php\nreturn ['default' => 'redis', 'connections' => ['redis' => ['driver' => 'redis', 'retry_after' => {0}]]];\n"
    (found,) = inversions({"app/Jobs/ExportOrder.php": job, "config/queue.php": settings.replace("{0}", "90")})
    assert (found.at.line, "90 s" in found.message) == (8, True)
    assert inversions({"app/Jobs/ExportOrder.php": job, "config/queue.php": settings.replace("{0}", "300")}) == []
