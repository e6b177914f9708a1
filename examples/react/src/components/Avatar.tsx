import type { CSSProperties } from "react";

/** Returns the colour of a name. */
export function hueOf(name: string): CSSProperties {
  let hash = 7;
  for (const sign of name) hash = (hash * 31 + (sign.codePointAt(0) ?? 0)) % 3600;
  return { "--hue": hash % 360 } as CSSProperties;
}

export function Avatar({ name }: { readonly name: string }) {
  const [initial = "?"] = name.trim();
  return <span className="avatar" aria-hidden="true" style={hueOf(name)}>{initial.toUpperCase()}</span>;
}
