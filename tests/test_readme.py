"""The README's configuration example is one that the tool takes."""
from __future__ import annotations

import re
from pathlib import Path

from flowaudit.scanner.config import load

README = Path(__file__).parent.parent / "README.md"


def test_the_configuration_example_is_valid(tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    file = tmp_path / "flowaudit.toml"
    file.write_text(example[1], encoding="utf-8")
    config, _ = load([str(tmp_path)], str(file))
    assert config.timezone == "Europe/Berlin"
