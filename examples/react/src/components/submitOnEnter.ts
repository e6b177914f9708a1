import type { KeyboardEvent } from "react";

/** Submits on Enter. Shift+Enter starts a new line, and an Enter that ends a composition does neither. */
export function submitOnEnter(event: KeyboardEvent<HTMLTextAreaElement>): void {
  if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
  event.preventDefault();
  event.currentTarget.form?.requestSubmit();
}
