import { useEffect, useState } from "react";

/** Timers by name, of which a later one of the same name takes the place; all end with the component. */
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
