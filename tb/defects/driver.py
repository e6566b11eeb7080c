"""Planted defects of the driver, `tb/defects/driver.toml`: each must be noticed by the test of the guest that it names.

They have the form of the device's; `test` is a test of the guest, on the device model.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tb.defects.catalogue import Defect
from tb.linux import programs, report
from tb.linux.boots import boot_on, task
from tb.linux.kernel import Kernel, kernel
from tb.linux.ktap import FAILED
from tb.linux.options import Chosen, Options
from tb.run.errors import CheckError
from tb.run.paths import ROOT

CATALOGUE = Path(__file__).with_name("driver.toml")
FOLDER = programs.OUTPUT / "planted"
Say = Callable[[str], None]


def plant(defects: Sequence[Defect], say: Say) -> Iterator[tuple[Defect, bool, str]]:
    """Build the driver with each defect and run its test; whether it was noticed, and the message or what else came.

    Raises UsageError: packages are missing; CheckError: the catalogue does not apply, or something does not build.
    """
    built = kernel(say)
    programs.module(built)  # without a defect it must build without a warning
    shutil.rmtree(FOLDER, ignore_errors=True)
    shutil.copytree(programs.DRIVER, FOLDER)
    for defect in defects:
        path = FOLDER / Path(defect.file).relative_to(programs.DRIVER.relative_to(ROOT))
        clean = path.read_text()
        path.write_text(defect.planted(ROOT))
        try:
            yield defect, *_noticed(defect, built, say)
        finally:
            path.write_text(clean)


def _noticed(defect: Defect, built: Kernel, say: Say) -> tuple[bool, str]:
    try:
        programs.build_module(built, FOLDER)
    except CheckError as error:
        return False, f"it does not build: {error}"
    suite = defect.test.partition(".")[0]
    options = Options("model", defect.test)
    wanted = replace(task(built, options, suite, defect.test), module=FOLDER / programs.MODULE, coverage="")
    boot, _ = boot_on(built, wanted, options, say)
    judged = report.judge(Chosen(suite, defect.test, (defect.test,)), boot)
    said = [result.message for result in judged.results if result.result == FAILED] + list(judged.problems)
    if not said:
        return False, f"{defect.test} passed"
    found = next((line for line in said if re.search(defect.message, line)), None)
    return found is not None, found or f"another message: {said[0]}"
