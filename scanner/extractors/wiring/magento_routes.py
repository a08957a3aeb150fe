"""Magento's `routes.xml`: a front name -> the controllers of modules. Every class below the module's `Controller` namespace with `execute` is a
page; its address is `/frontName/folder/class`. The option `methods` names the method, `namespace` says that the handler is a namespace.

Source: Adobe Commerce developer documentation, "Routing"; Magento_Framework's App/etc/routes.xsd.
"""

from __future__ import annotations

import re

from flowaudit.scanner.facts import Binding, FileFacts, Skipped, Source
from flowaudit.scanner.located import LocatedError, file_facts, load_xml

NAME = "magento_routes"
FILES = ("routes.xml",)
SNIFF = re.compile(r"<router\b")
VERSION = 1

_MODULE = re.compile(r"^([A-Za-z0-9]+)_([A-Za-z0-9]+)$")


def extract(source: Source) -> FileFacts:
    """Read the routers' front names."""
    try:
        root = load_xml(source.text)
    except LocatedError as error:
        return file_facts(source, skipped=(Skipped(source.path, error.reason, NAME, error.line),))
    facts = []
    for router in root.walk():
        for route in router.children if router.tag == "router" else ():
            for module in route.children if route.tag == "route" else ():
                named = _MODULE.match(module.attributes.get("name", ""))
                if named:
                    namespace = f"{named[1]}\\{named[2]}\\Controller" + ("\\Adminhtml" if router.attributes.get("id") == "admin" else "")
                    address = "/" + (route.attributes.get("frontName") or route.attributes.get("id", ""))
                    options = (("methods", "execute"), ("namespace", True))
                    facts.append(Binding(module.start, module.end, "route", address, namespace, "magento-framework", "", options))
    return file_facts(source, facts)
