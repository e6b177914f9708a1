// The patterns of tests/vectors, which match JSON with variable parts.
import assert from "node:assert/strict";

const typeOf = (value) => (value === null ? "null" : Array.isArray(value) ? "array" : typeof value);

/** Returns the name and the argument of a pattern, or nothing for plain JSON. */
function patternOf(expected) {
  if (typeOf(expected) !== "object") return [];
  const [[name, argument] = [], ...more] = Object.entries(expected);
  return name?.startsWith("$") && !more.length ? [name, argument] : [];
}

function fits(expected, got) {
  const [name, argument] = patternOf(expected);
  switch (name) {
    case undefined:
      break;
    case "$any":
      return typeOf(got) === argument;
    case "$prefix":
      return typeof got === "string" && got.startsWith(argument);
    case "$unordered": {
      const rest = Array.isArray(got) ? [...got] : [];
      const all = argument.every((one) => {
        const index = rest.findIndex((item) => fits(one, item));
        return index >= 0 && rest.splice(index, 1);
      });
      return all && !rest.length;
    }
    case "$length":
      return Array.isArray(got) && got.length === argument;
    default:
      throw new Error(`not a pattern that is known: ${JSON.stringify(expected)}`);
  }
  if (typeOf(expected) !== typeOf(got)) return false;
  if (typeof expected !== "object" || expected === null) return expected === got;
  const names = Object.keys(expected);
  // An undefined member counts as absent.
  const extra = Object.keys(got).filter((name) => got[name] !== undefined && !names.includes(name));
  return !extra.length && names.every((name) => fits(expected[name], got[name])) && (!Array.isArray(got) || got.length === expected.length);
}

export function check(expected, got) {
  assert.ok(fits(expected, got), `expected ${JSON.stringify(expected)}\n  got ${JSON.stringify(got)}`);
}

/** Returns a value that matches a pattern, for the test to send as a server. */
export function sample(expected) {
  const [name, argument] = patternOf(expected);
  switch (name) {
    case undefined:
      break;
    case "$any":
      if (argument === "string") return "something";
      if (argument === "number") return 7;
      break;
    case "$prefix":
      return `${argument}something`;
    case "$unordered":
      return argument.map(sample);
  }
  if (name) throw new Error(`a client can't be sent just this: ${JSON.stringify(expected)}`);
  if (Array.isArray(expected)) return expected.map(sample);
  if (typeOf(expected) !== "object") return expected;
  return Object.fromEntries(Object.entries(expected).map(([name, member]) => [name, sample(member)]));
}
