import { useState } from "react";
import { ErrorText } from "./ErrorText";
import type { ZocketError } from "./zocket/zocket";

/** `onJoin` returns why it could not. */
export function JoinRoom({ onJoin }: { readonly onJoin: (roomId: string) => Promise<ZocketError | undefined> }) {
  const [roomId, setRoomId] = useState("");
  const [error, setError] = useState<ZocketError>();
  return (
    <form
      onSubmit={async (event) => {
        event.preventDefault();
        const error = await onJoin(roomId.trim());
        setError(error);
        if (!error) setRoomId("");
      }}
    >
      <div className="line">
        <input
          data-testid="room-input"
          aria-label="Room"
          placeholder="Join a room"
          aria-invalid={error !== undefined}
          value={roomId}
          onChange={(event) => {
            setRoomId(event.target.value);
            setError(undefined);
          }}
        />
        <button data-testid="room-join">Join</button>
      </div>
      <ErrorText error={error} field="roomId" />
    </form>
  );
}
