import type { Headers } from "../zocket";
import { Avatar } from "./Avatar";
import { Icon } from "./Icon";
import { Status } from "./Status";

interface TopBarProps {
  readonly headers: Headers;
  readonly unread: number;
  readonly onLeave: () => void;
}

export function TopBar({ headers: { name, role }, unread, onLeave }: TopBarProps) {
  return (
    <header className="top">
      <button
        className="quiet menu only-narrow" type="button" popoverTarget="rooms"
        aria-label={unread > 0 ? `Rooms, ${unread} unread` : "Rooms"}
      >
        <Icon name="menu" />{unread > 0 && <span className="dot" />}
      </button>
      <div className="brand"><span className="mark"><Icon name="mark" /></span><span>Zocket chat</span></div>
      <Status />
      <div className="me">
        <Avatar name={name} />
        <span className="clip" title={name}>{name}</span>
        {role === "admin" && <span className="badge">admin</span>}
      </div>
      <button className="quiet" type="button" data-testid="sign-out" aria-label="Leave the chat" title="Leave the chat" onClick={onLeave}>
        <Icon name="exit" />
      </button>
    </header>
  );
}
