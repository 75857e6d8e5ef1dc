// Times as people say them, in the browser's own language and zone.

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const long = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

const DAY = 24 * 3600 * 1000;

/** The local day of a time, as a number that grows by one a day. */
export function day(ms: number): number {
  const date = new Date(ms);
  return Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY);
}

export const atClock = (ms: number): string => clock.format(ms);
export const inFull = (ms: number): string => full.format(ms);

/** A day as a heading, or as a word in a list. */
export function dayName(ms: number, now: number, words: { today: string; yesterday: string }, brief = false): string {
  const ago = day(now) - day(ms);
  if (ago === 0) return brief ? clock.format(ms) : words.today;
  if (ago === 1) return words.yesterday;
  if (ago > 1 && ago < 7) return weekday.format(ms);
  return brief ? short.format(ms) : long.format(ms);
}

/** A round trip, as short as it is precise. */
export function roundTrip(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  const ms = us / 1000;
  return ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

/** An amount of data. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) {
    count /= 1024;
    unit += 1;
  }
  return `${unit && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}
