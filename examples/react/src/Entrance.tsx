import { useState } from "react";
import type { Headers, Role } from "./zocket/zocket";

interface Props {
  readonly problem: string | undefined;
  readonly onEnter: (headers: Headers) => void;
}

export function Entrance({ problem, onEnter }: Props) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("user");
  return (
    <main className="entrance">
      <form
        className="card"
        onSubmit={(event) => {
          event.preventDefault();
          onEnter({ name, role });
        }}
      >
        <h1>Zocket chat</h1>
        <p className="muted">In React, over a client that its server has made.</p>
        <label>
          Your name
          <input data-testid="name-input" value={name} onChange={(event) => setName(event.target.value)} required autoFocus />
        </label>
        <label>
          Role
          <select data-testid="role-select" value={role} onChange={(event) => setRole(event.target.value as Role)}>
            <option value="user">User</option>
            <option value="admin">Admin: may speak to everyone</option>
          </select>
        </label>
        {problem && <p className="error" role="alert" data-testid="error">{problem}</p>}
        <button className="primary" data-testid="enter-button">Enter the chat</button>
      </form>
    </main>
  );
}
