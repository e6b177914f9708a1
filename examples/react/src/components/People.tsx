import type { RefObject } from "react";
import type { Room } from "../chat/state";
import type { ClientId } from "../zocket";
import { Avatar } from "./Avatar";
import { Icon } from "./Icon";

interface PeopleProps {
  readonly room: Room | undefined;
  readonly me: ClientId | undefined;
  /** True if people may have come and left meanwhile. */
  readonly isStale: boolean;
  readonly panel: RefObject<HTMLElement | null>;
}

export function People({ room, me, isStale, panel }: PeopleProps) {
  const people = [...(room?.people ?? [])].sort((one, other) => one.name.localeCompare(other.name));
  return (
    <aside
      className="side people" id="people" aria-label="People in this room" popover="auto" ref={panel} data-stale={isStale}
    >
      <div className="side-head">
        <h2>People</h2>
        <button className="quiet close" type="button" aria-label="Close the list of people" onClick={() => panel.current?.hidePopover()}>
          <Icon name="close" />
        </button>
      </div>
      <ul>
        {people.map(({ clientId, name }) => (
          <li key={clientId} className="who-item" data-testid="who-item">
            <Avatar name={name} />
            <span className="clip" title={name}>{name}</span>
            {clientId === me && <span className="badge">you</span>}
          </li>
        ))}
      </ul>
    </aside>
  );
}
