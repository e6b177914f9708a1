#!/usr/bin/env python3
"""Prints the results of the Autobahn testsuite: `table.py [--write FILE] REPORT`.

REPORT is the folder with the suite's `index.json`, and with what it printed in `wstest.log`. Fails unless every case
that was to run has passed. The suite says two things of each case: how the server behaved, and how it closed the
connection. A case passes if both are OK or INFORMATIONAL (where the RFC leaves the behaviour open).
"""

import argparse
import ast
import json
import pathlib
import re
import sys
from collections import Counter

# These cases send one text frame in three parts, a second apart. Its UTF-8 is invalid from the second part on. A strict
# server closes the connection then. RFC 6455 sets no time, so closing after the third part is correct, too.
MAY_BE_NON_STRICT = {"6.4.3", "6.4.4"}

GROUPS = {
    "1": "Framing",
    "2": "Pings and pongs",
    "3": "Reserved bits",
    "4": "Opcodes",
    "5": "Fragmentation",
    "6": "UTF-8",
    "7": "Closing",
    "9": "Large messages, many messages",
    "10": "Automatic fragmentation",
}

COLUMNS = ("OK", "INFORMATIONAL", "NON-STRICT", "FAILED")

INTRODUCTION = """\
# The Autobahn testsuite

Results of the [Autobahn testsuite](https://github.com/crossbario/autobahn-testsuite) {version} against `examples/echo`.
`tests/autobahn/run --write` wrote this file. `tests/autobahn/run` says which cases are left out, and why.

"""


def outcome(case, result):
    """Returns the column in which a case is counted."""
    behavior, close = result["behavior"], result["behaviorClose"]
    if close in ("OK", "INFORMATIONAL"):
        if behavior in ("OK", "INFORMATIONAL"):
            return behavior
        if behavior == "NON-STRICT" and case in MAY_BE_NON_STRICT:
            return behavior
    return "FAILED"


def in_order(cases):
    """Sorts cases such as 6.4.10 by their numbers."""
    return sorted(cases, key=lambda case: [int(number) for number in case.split(".")])


def table(results):
    """Returns a row for each group, and one for all."""
    groups = {}
    for case in in_order(results):
        groups.setdefault(case.split(".")[0], Counter())[outcome(case, results[case])] += 1
    total = sum(groups.values(), Counter())
    rows = [(f"{group} {GROUPS.get(group, '')}", counts) for group, counts in groups.items()]
    lines = [
        "| Group | Cases | OK | Informational | Non-strict | Failed |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, counts in [*rows, ("All", total)]:
        numbers = [sum(counts.values()), *(counts[column] for column in COLUMNS)]
        lines.append(f"| {name} | {' | '.join(map(str, numbers))} |")
    return "\n".join(lines) + "\n"


def exceptions(results):
    """Returns a row for each case with another result than OK."""
    lines = []
    for case in in_order(results):
        result = results[case]
        behavior, close = result["behavior"], result["behaviorClose"]
        if (behavior, close) != ("OK", "OK"):
            code = result["remoteCloseCode"]
            lines.append(f"| {case} | {behavior} | {close} | {'none' if code is None else code} |")
    if not lines:
        return "Every case is OK.\n"
    head = [
        "Cases with another result than OK:",
        "",
        "| Case | Behaviour | Close | Close code of the server |",
        "| --- | --- | --- | ---: |",
    ]
    return "\n".join(head + lines) + "\n"


def found(pattern, log):
    """Returns the suite's output, or its end."""
    match = re.search(pattern, log, re.MULTILINE)
    if match is None:
        sys.exit(f"wstest.log has nothing like {pattern}")
    return match.group(1)


def main():
    arguments = argparse.ArgumentParser(description="Says how the cases of the Autobahn testsuite went.")
    arguments.add_argument("report", type=pathlib.Path, help="the folder with index.json and wstest.log")
    arguments.add_argument("--write", type=pathlib.Path, metavar="FILE", help="the file to write that to, too")
    arguments = arguments.parse_args()

    log = (arguments.report / "wstest.log").read_text(encoding="utf-8", errors="replace")
    version = found(r"Autobahn Testsuite Version ([\d.]+)", log)
    expected = set(ast.literal_eval(found(r"^Cases = (\[.*\])$", log)))
    try:
        [results] = json.loads((arguments.report / "index.json").read_text(encoding="utf-8")).values()
    except (OSError, ValueError) as error:
        sys.exit(f"the suite's index.json does not have the results of one server: {error}")
    if missing := {*GROUPS} - {case.split(".")[0] for case in expected}:
        sys.exit(f"the suite has no cases of these groups: {', '.join(in_order(missing))}")
    if missing := expected - {*results}:
        sys.exit(f"{len(missing)} of {len(expected)} cases have not run: {', '.join(in_order(missing))}")

    summary = f"{table(results)}\n{exceptions(results)}"
    print(summary)
    if arguments.write:
        arguments.write.write_text(INTRODUCTION.format(version=version) + summary)
    failed = sum(outcome(case, results[case]) == "FAILED" for case in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
