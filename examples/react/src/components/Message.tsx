import type { ReactNode } from "react";
import { Avatar, hueOf } from "./Avatar";

interface MessageProps {
  readonly from: string;
  readonly text: string;
  readonly isOwn: boolean;
  /** True if it continues the previous message, and needs no name. */
  readonly isNext: boolean;
  /** Unix milliseconds. Unsent messages have none. */
  readonly at?: number;
  /** Text in place of the time. */
  readonly note?: string;
  readonly children?: ReactNode;
}

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const fullDate = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function Message({ from, text, isOwn, isNext, at, note, children }: MessageProps) {
  const classes = ["message", isOwn && "own", isNext && "next", note && "unsent", children !== undefined && "failed"];
  return (
    <div className={classes.filter(Boolean).join(" ")} data-testid="message" style={hueOf(from)}>
      <Avatar name={from} />
      <div className="body">
        <span className={isOwn || isNext ? "unseen" : "from clip"} data-testid="message-from">{from}</span>
        <div className="bubble">
          <span className="text" data-testid="message-text">{text}</span>
          {at !== undefined
            ? <time dateTime={new Date(at).toISOString()} title={fullDate.format(at)}>{time.format(at)}</time>
            : <span className="time">{note}</span>}
        </div>
        {children}
      </div>
    </div>
  );
}
