// What other people wrote, made fit for a place in our own sentences. It is only ever shown as text.

/** Characters that hide, that change direction, or that nobody can see. */
const TRICKS = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;

/** A name as it may stand in a line: without what could hide or turn the rest of the line. */
export function name(text: string | null | undefined): string {
  return (text ?? '').replace(TRICKS, '').trim() || '…';
}

/** One line of a message, for a list. */
export function line(text: string, length = 140): string {
  return name(text.slice(0, length * 2).replace(/\s+/g, ' ')).slice(0, length);
}

/** Up to two letters that stand for a name. */
export function initials(text: string): string {
  const words = name(text).split(/[\s._-]+/).filter(Boolean);
  const first = (word: string | undefined) => (word ? ([...word][0] ?? '') : '');
  const letters = first(words[0]) + (words.length > 1 ? first(words.at(-1)) : '');
  return letters.toLocaleUpperCase();
}

/** One of `count` colours for an id, always the same. */
export function colour(id: string, count = 8): number {
  let sum = 0;
  for (const letter of id.slice(0, 16)) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % count;
}
