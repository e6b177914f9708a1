import { useState } from "react";
import { ErrorText } from "./ErrorText";
import type { Announcement } from "./zocket/zocket";
import { useCall, useClient, useEvent } from "./zocket/zocket-react";

/** What admins have told everyone. */
export function Announcements() {
  const client = useClient();
  const [announcements, setAnnouncements] = useState<readonly Announcement[]>([]);
  useEvent(client.on.system.announcement, (announcement) => setAnnouncements((all) => [...all, announcement].slice(-3)));
  return announcements.map((announcement, at) => (
    <div key={at} className="announcement" data-testid="announcement">
      <p><strong>{announcement.from}</strong> {announcement.text}</p>
      <button className="quiet" aria-label="Dismiss" onClick={() => setAnnouncements((all) => all.filter((other) => other !== announcement))}>×</button>
    </div>
  ));
}

export function Announce() {
  const client = useClient();
  const announce = useCall(client.admin.announce);
  const [text, setText] = useState("");
  return (
    <form
      className="announce"
      onSubmit={async (event) => {
        event.preventDefault();
        const { ok } = await announce.call({ text });
        if (ok) setText("");
      }}
    >
      <label>
        Tell everyone
        <textarea data-testid="announce-input" rows={2} value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <ErrorText error={announce.error} field="text" />
      <button data-testid="announce-send" disabled={announce.pending}>Announce</button>
    </form>
  );
}
