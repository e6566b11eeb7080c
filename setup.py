"""The installable package; everything that can be said in pyproject.toml is said there."""

import sys
from pathlib import Path

from setuptools import find_packages, setup

sys.path.insert(0, str(Path(__file__).parent / "packaging"))
from namespaced import MOVED, Namespaced

FOUND = [name for top in MOVED for name in (top, *(f"{top}.{sub}" for sub in find_packages(top)))]

setup(
    packages=["kvcpu", *(f"kvcpu.{name}" for name in FOUND), "kvcpu.sw.include", "kvcpu.docs.schemas"],
    package_dir={
        "kvcpu": "packaging/kvcpu",
        "kvcpu.docs.schemas": "docs/schemas",
        "kvcpu.sw.include": "sw/include",
        **{f"kvcpu.{name}": name.replace(".", "/") for name in FOUND},
    },
    package_data={"": ["*.json", "*.kvm", "*.pub", "*.j2", "*.css", "*.h", "*.c"]},
    cmdclass={"build_py": Namespaced},
)
