#!/usr/bin/env python3
"""Checks rules of ARCHITECTURE.md about imports: `tests/layout.py` fails and names each violation.

- The session imports neither tokio nor tungstenite, and reads no clock.
- Imports name the module that defines a type, not the crate root.
- The hub, messages and their state, the app, its connections and the client are free of import cycles between files.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Folders or files without import cycles between their files.
WITHOUT_CYCLES = [
    "layers/src/hub",
    "layers/src/message",
    "layers/src/protocol",
    "layers/src/effect",
    "src/app",
    "src/client",
    "src/connection",
]


def split(items):
    """Splits at the commas outside of braces."""
    depth, start = 0, 0
    for at, char in enumerate(items):
        depth += (char == "{") - (char == "}")
        if char == "," and depth == 0:
            yield items[start:at].strip()
            start = at + 1
    if items[start:].strip():
        yield items[start:].strip()


def paths(tree, prefix=()):
    """Returns the paths of a use tree as tuples of segments."""
    match = re.fullmatch(r"((?:\w+::)*)\{(.*)\}", tree.strip(), re.S)
    if not match:
        yield prefix + tuple(tree.strip().split(" as ")[0].split("::"))
        return
    prefix += tuple(filter(None, match[1].split("::")))
    for item in split(match[2]):
        yield from paths(item, prefix)


class Crate:
    def __init__(self, source):
        self.source = ROOT / source
        self.files = {}  # module path → file
        for file in sorted(self.source.rglob("*.rs")):
            parts = file.relative_to(self.source).with_suffix("").parts
            if parts[-1] in ("mod", "lib"):
                parts = parts[:-1]
            if "tests" not in parts:
                self.files[parts] = file
        self.uses = {}  # module path → [(is public, path)]
        for module, file in self.files.items():
            text = file.read_text(encoding="utf-8").split("#[cfg(test)]\nmod tests {")[0]
            text = re.sub(r"^\s*//.*$", "", text, flags=re.M)
            uses = re.findall(r"^\s*(pub(?:\([^)]*\))? )?use ((?:crate|self|super)::[^;]*);", text, re.M)
            self.uses[module] = [
                (bool(public), path)
                for public, tree in uses
                for path in paths(re.sub(r"\s+", " ", tree))
            ]

    def absolute(self, module, path):
        """Returns a path from the crate root."""
        path = list(path)
        base = list(module)
        if path[0] == "crate":
            return tuple(path[1:])
        while path[0] in ("self", "super"):
            if path.pop(0) == "super":
                base.pop()
        return tuple(base + path)

    def defines(self, path, seen=()):
        """Returns the module that defines an item, through re-exports."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.files:
                module, item = path[:length], path[length:]
                break
        if item and (module, item) not in seen:
            for public, use in self.uses[module]:
                if public and use[-1] == item[0]:
                    target = self.absolute(module, use)
                    return self.defines(target + item[1:], (*seen, (module, item)))
        return module

    def edges(self):
        graph = {}
        for module in self.files:
            targets = {self.defines(self.absolute(module, path)) for public, path in self.uses[module] if not public}
            graph[module] = targets - {module}
        return graph


def cycles(graph):
    """Returns strongly connected components of more than one module (Tarjan)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            component = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(component)

    for node in graph:
        if node not in index:
            visit(node)
    return found


def main():
    problems = []
    for file in sorted((ROOT / "src/connection/session").rglob("*.rs")):
        forbidden = r"tokio|tungstenite" if file.name == "tests.rs" else r"tokio|tungstenite|Instant::now|SystemTime"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if not line.lstrip().startswith("//") and re.search(forbidden, line):
                problems.append(f"{file.relative_to(ROOT)}:{number}: the session has no runtime, no socket, no clock: {line.strip()}")
    for source in ("layers/src", "src"):
        crate = Crate(source)
        for module, uses in crate.uses.items():
            file = crate.files[module].relative_to(ROOT)
            for public, path in uses:
                if module and path[0] == "crate" and len(path) == 2 and (path[1],) not in crate.files:
                    problems.append(f"{file}: `use {'::'.join(path)}` names the crate root, not the module")
        for component in cycles(crate.edges()):
            files = sorted(str(crate.files[module].relative_to(ROOT)) for module in component)
            if any(file.startswith(tuple(WITHOUT_CYCLES)) for file in files):
                problems.append("import cycle: " + " ↔ ".join(files))
            elif "--all" in sys.argv:
                print("import cycle, allowed: " + " ↔ ".join(files))
    print("\n".join(problems) or "layout: as ARCHITECTURE.md says")
    sys.exit(bool(problems))


main()
