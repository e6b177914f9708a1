import { useEffect, useState } from "react";

/** Returns named timers. A new one replaces the one of the same name, and all stop on unmount. */
export function useTimers() {
  const [timers] = useState(() => {
    const running = new Map<string, ReturnType<typeof setTimeout>>();
    const stop = (name: string) => clearTimeout(running.get(name));
    const start = (name: string, run: () => void, ms: number) => {
      stop(name);
      running.set(name, setTimeout(run, ms));
    };
    return { start, stop, stopAll: () => [...running.keys()].forEach(stop) };
  });
  useEffect(() => () => timers.stopAll(), [timers]);
  return timers;
}
