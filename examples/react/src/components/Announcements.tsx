import type { ChatState } from "../chat/state";
import { Icon } from "./Icon";

interface AnnouncementsProps {
  readonly announcements: ChatState["announcements"];
  readonly onDismiss: (key: string) => void;
}

export function Announcements({ announcements, onDismiss }: AnnouncementsProps) {
  return (
    <section className="announcements" aria-label="Announcements" aria-live="polite">
      {announcements.map(({ key, from, text }) => (
        <div key={key} className="announcement" data-testid="announcement">
          <Icon name="horn" />
          <p><strong>{from}</strong>: <span data-testid="announcement-text">{text}</span></p>
          <button className="quiet" type="button" aria-label="Dismiss" data-testid="announcement-dismiss" onClick={() => onDismiss(key)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </section>
  );
}
