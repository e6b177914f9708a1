import { useState } from "react";
import type { Headers } from "../zocket";
import { Field } from "./Field";
import { Icon } from "./Icon";

const NAME_LENGTH = 40;

interface StartFormProps {
  readonly headers: Headers;
  readonly onEnter: (headers: Headers) => void;
}

export function StartForm({ headers, onEnter }: StartFormProps) {
  const [name, setName] = useState(headers.name);
  const [role, setRole] = useState(headers.role);
  const [problem, setProblem] = useState<string>();

  const submit = () => {
    // Checked here as well, since browsers hide the response of a refused handshake from the page.
    const length = [...name.trim()].length;
    if (length === 0) setProblem("Please enter a name");
    else if (length > NAME_LENGTH) setProblem(`At most ${NAME_LENGTH} characters, got ${length}`);
    else onEnter({ name: name.trim(), ...(role && { role }) });
  };

  return (
    <main className="start">
      <section className="card" aria-labelledby="start-title">
        <span className="mark"><Icon name="mark" /></span>
        <h1 id="start-title">Welcome</h1>
        <p className="lead">Choose a name to join the chat.</p>
        <form noValidate onSubmit={(event) => { event.preventDefault(); submit(); }}>
          <Field label="Your name" problem={problem}>
            {(props) => (
              <input
                {...props} data-testid="name-input" value={name} autoFocus autoComplete="nickname" spellCheck={false}
                onChange={(event) => { setName(event.target.value); setProblem(undefined); }}
              />
            )}
          </Field>
          <Field label="Role">
            {(props) => (
              <select
                {...props} data-testid="role-select" value={role}
                onChange={(event) => setRole(event.target.value === "admin" ? "admin" : "user")}
              >
                <option value="user">User</option>
                <option value="admin">Admin (can send announcements)</option>
              </select>
            )}
          </Field>
          <button className="primary" data-testid="enter-button">Join the chat</button>
        </form>
      </section>
    </main>
  );
}
