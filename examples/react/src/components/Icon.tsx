const PATHS = {
  menu: "M4 7h16M4 12h16M4 17h10",
  close: "m6 6 12 12M18 6 6 18",
  send: "M12 19V5m-6 6 6-6 6 6",
  people: "M9 11.500a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7ZM2.500 20c.4-3.600 3-5.500 6.500-5.500s6.100 1.900 6.500 5.500M16 4.800a3.500 3.500 0 0 1 0 6.400M18.500 15.100c1.800.8 2.800 2.500 3 4.900",
  exit: "M10 4H6a2 2 0 0 0-2 2v12a2 2 0 0 0 2 2h4M15 8l4 4-4 4M19 12H9",
  horn: "M4 10v4h3l9 4.500V5.500L7 10H4ZM7.500 14l1 5.500h2.500L10 15.300M19 9.500c.9.600 1.400 1.500 1.400 2.500s-.5 1.900-1.400 2.500",
  mark: "M7 7h10L7 17h10",
} as const;

export function Icon({ name }: { readonly name: keyof typeof PATHS }) {
  return <svg className="icon" viewBox="0 0 24 24" aria-hidden="true"><path d={PATHS[name]} /></svg>;
}
