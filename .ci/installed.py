"""Is what users get what we mean to give them? Run by the Python of an environment that holds the wheel and nothing of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import files
from pathlib import Path

room = Path(sys.argv[1])
os.chdir(room)
sys.path = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]

import eventflow  # noqa: E402  (only now is the checkout out of sight)

where = Path(eventflow.__file__).resolve()
if not where.is_relative_to(Path(sys.prefix).resolve()):
    sys.exit(f"eventflow was imported from {where}, not from the installed wheel")

top = {path.parts[0] for path in files("eventflow") or [] if path.parts[0] != ".." and not path.parts[0].endswith(".dist-info")}
if top != {"eventflow"}:
    sys.exit(f"the wheel installs {sorted(top)}; it must install exactly ['eventflow']")

absent = [name for name in ("py.typed",) if not (where.parent / name).is_file()]
if absent:
    sys.exit(f"the wheel lacks {absent}")

scripts = Path(sys.prefix, "bin")
for command in ([str(scripts / "eventflow"), "--help"], [sys.executable, "-m", "eventflow", "--help"]):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603  (our own two commands)

sys.stdout.write(f"eventflow from {where.parent}: top level, py.typed and command are as they should be\n")
