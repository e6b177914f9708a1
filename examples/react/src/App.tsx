import { useState } from "react";
import { Chat } from "./Chat";
import { Entrance } from "./Entrance";
import type { Headers } from "./zocket/zocket";
import { ZocketProvider } from "./zocket/zocket-react";

/** Who comes by a link like `/?name=Ann` is in at once. */
function fromLink(): Headers | undefined {
  const query = new URLSearchParams(location.search);
  const name = query.get("name");
  return name ? { name, role: query.get("role") === "admin" ? "admin" : "user" } : undefined;
}

export function App() {
  const [headers, setHeaders] = useState(fromLink);
  const [problem, setProblem] = useState<string>();
  if (!headers) return <Entrance problem={problem} onEnter={setHeaders} />;
  const leave = (problem?: string) => {
    setProblem(problem);
    setHeaders(undefined);
  };
  return (
    <ZocketProvider url="/ws" options={{ headers }}>
      <Chat me={headers} onLeave={leave} />
    </ZocketProvider>
  );
}
