import { useConnection } from "../zocket-react";

/** Returns the connection as it is shown. Most breaks are over within a second, and nobody needs to know of them. */
export const useShownConnection = () => useConnection({ delay: 1000 });
