import { useState } from "react";
import type { Chat } from "../chat/useChat";
import { newKey } from "../chat/state";
import { fieldProblem, joinProblem } from "../errors";
import type { InputOf } from "../zocket";
import { useCall, useClient } from "../zocket-react";
import { Field } from "./Field";

interface RoomFormProps {
  readonly chat: Chat;
  readonly onOpened: () => void;
}

/** Form to join a room by its name. */
export function RoomForm({ chat: { state, dispatch }, onOpened }: RoomFormProps) {
  const { join } = useClient().chat;
  const { call, pending, error, reset } = useCall(join);
  const [name, setName] = useState("");

  const submit = async () => {
    const roomId = name.trim();
    if (pending) return;
    if (!state.rooms.some(({ id }) => id === roomId)) {
      // The room's events arrive before the answer.
      dispatch({ type: "asked", roomId });
      const { data: present } = await call({ roomId });
      if (!present) return dispatch({ type: "dropped", roomId });
      dispatch({ type: "joined", roomId, present, key: newKey() });
    }
    dispatch({ type: "opened", roomId });
    setName("");
    onOpened();
  };

  return (
    <form className="room-form" noValidate onSubmit={(event) => { event.preventDefault(); void submit(); }}>
      <Field
        label="Room to join" isLabelHidden
        problem={fieldProblem<InputOf<typeof join>>(error, "roomId") ?? joinProblem(error)}
      >
        {(props) => (
          <input
            {...props} data-testid="room-input" value={name} placeholder="Join a room" autoComplete="off" autoCapitalize="none"
            spellCheck={false} enterKeyHint="go" onChange={(event) => { setName(event.target.value); reset(); }}
          />
        )}
      </Field>
      <button className="primary" data-testid="room-join" aria-busy={pending}>Join</button>
    </form>
  );
}
