import { expect, test } from 'vitest';
import { colour, initials, line, name } from '../src/state/text';

test('names lose what hides or turns the rest of a line', () => {
  expect(name('Ann\u202egnp.exe')).toBe('Anngnp.exe');
  expect(name('A\u200bn\u0000n\n')).toBe('Ann');
  expect(name('\u2066\u2069')).toBe('…');
  expect(name(null)).toBe('…');
  expect(name('王小明 ☂ Ønsk')).toBe('王小明 ☂ Ønsk');
});

test('a line is one line and not longer than asked for', () => {
  expect(line('one\n\ntwo\tthree')).toBe('one two three');
  expect(line('x'.repeat(10_000), 50)).toHaveLength(50);
});

test('initials are those of the first and the last word', () => {
  expect(initials('Ann')).toBe('A');
  expect(initials('ann maria smith')).toBe('AS');
  expect(initials('👩‍🌾 Ben')).toBe('👩B');
  expect(initials('')).toBe('…');
});

test('a colour is always the same and one of eight', () => {
  for (const id of ['', 'a', 'abc', '王']) expect(colour(id)).toBe(colour(id));
  expect(new Set(Array.from({ length: 64 }, (_, at) => colour(`id${at}`))).size).toBe(8);
});
