import { useState } from "react";
import { Chat } from "./components/Chat";
import { StartForm } from "./components/StartForm";
import { readSession, writeSession } from "./session";
import { ZocketProvider } from "./zocket-react";

/** Shows the form, then the chat. The client exists as long as the chat is shown. */
export function App() {
  const [session, setSession] = useState(readSession);

  if (!session.isEntered) {
    return (
      <StartForm
        headers={session.headers}
        onEnter={(headers) => setSession({ ...session, headers, isEntered: true })}
      />
    );
  }

  const leave = () => {
    const { headers } = session;
    const out = { headers, rooms: ["lobby"], active: "lobby", isEntered: false };
    writeSession(out);
    history.replaceState(null, "", location.pathname);
    setSession(out);
  };
  return (
    <ZocketProvider url="/ws" options={{ headers: session.headers }}>
      <Chat session={session} onLeave={leave} />
    </ZocketProvider>
  );
}
