"""Do two outputs say the same? `python -m bench.same FILE FILE`; layout and quotes may differ.

A process of its own: the one that measures must not grow.
"""

import sys
from pathlib import Path

import yaml

first, second = (yaml.load(Path(name).read_bytes(), yaml.CSafeLoader) for name in sys.argv[1:])
sys.exit(first != second)
