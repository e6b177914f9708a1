import type { RefObject } from "react";
import { shownRooms } from "../chat/state";
import type { Chat } from "../chat/useChat";
import { AnnounceForm } from "./AnnounceForm";
import { Icon } from "./Icon";
import { RoomForm } from "./RoomForm";

interface RoomsProps {
  readonly chat: Chat;
  /** The panel, an overlay in narrow windows. */
  readonly panel: RefObject<HTMLElement | null>;
}

export function Rooms({ chat, panel }: RoomsProps) {
  const { state, dispatch } = chat;
  const hide = () => { if (panel.current?.matches(":popover-open")) panel.current.hidePopover(); };

  return (
    <nav className="side rooms" id="rooms" aria-label="Rooms" popover="auto" ref={panel}>
      <div className="side-head">
        <h2>Rooms</h2>
        <button className="quiet close" type="button" aria-label="Close the list of rooms" onClick={hide}><Icon name="close" /></button>
      </div>
      <ul>
        {shownRooms(state.rooms).map(({ id, unread }) => (
          <li key={id}>
            <button
              className="room-item" type="button" data-testid="room-item" aria-current={id === state.active}
              onClick={() => { dispatch({ type: "opened", roomId: id }); hide(); }}
            >
              <span className="hash" aria-hidden="true">#</span>
              <span className="clip">{id}</span>
              {unread > 0 && <span className="count">{unread}<span className="unseen"> unread</span></span>}
            </button>
          </li>
        ))}
      </ul>
      <RoomForm chat={chat} onOpened={hide} />
      {state.me?.role === "admin" && <AnnounceForm />}
    </nav>
  );
}
