import { expect, test } from 'vitest';
import type { Message } from '../src/api/generated';
import { compare, continues, Timeline } from '../src/state/timeline';

function message(lamport: number, more: Partial<Message> = {}): Message {
  return {
    id: `m${lamport}-${more.author ?? 'a'}`,
    conversation: 'c',
    author: 'a',
    member: 'ann',
    member_name: 'Ann',
    mine: false,
    seq: lamport,
    lamport,
    claimed_ms: lamport * 1000,
    stored_ms: lamport * 1000,
    text: String(lamport),
    delivery: { devices: 1, delivered: 0, read: 0 },
    ...more,
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => message(from + at));
const order = (timeline: Timeline) => timeline.blocks.flatMap((block) => block.messages.map((one) => one.lamport));

test('whatever the order of arrival, the order on the screen is the same', () => {
  const all = range(0, 500);
  const wanted = all.map((one) => one.lamport);
  const random = (seed: number) => () => (seed = (seed * 1103515245 + 12345) % 2 ** 31);
  for (let seed = 1; seed < 6; seed += 1) {
    const next = random(seed);
    const timeline = new Timeline();
    timeline.take([all[0]!], false);
    for (const one of all.slice(1).map((one) => [next(), one] as const).sort((a, b) => a[0] - b[0])) timeline.add(one[1]);
    expect(order(timeline)).toEqual(wanted);
    expect(timeline.size).toBe(500);
  }
});

test('pages go in front, doubles are taken once, blocks that did not change stay the same', () => {
  const timeline = new Timeline();
  timeline.take(range(200, 260), true);
  const before = timeline.blocks;
  expect(timeline.take(range(100, 210), false)).toBe(100);
  expect(order(timeline)).toEqual(range(100, 260).map((one) => one.lamport));
  expect(timeline.blocks.slice(-before.length)).toEqual(before);
  expect(timeline.blocks.at(-1)).toBe(before.at(-1));
  expect(timeline.more).toBe(false);
});

test('a message that is the same as before changes nothing, another makes a new block only', () => {
  const timeline = new Timeline();
  timeline.take(range(0, 100), false);
  const before = timeline.blocks;
  timeline.take([message(99)]);
  expect(timeline.blocks).toBe(before);
  expect(timeline.renew(message(50, { text: 'changed' }))).toBe(true);
  expect(timeline.blocks).not.toBe(before);
  expect(timeline.blocks.filter((block, at) => block !== before[at])).toHaveLength(1);
  expect(timeline.renew(message(1000))).toBe(false);
});

test('a message from before what is loaded waits for its page', () => {
  const timeline = new Timeline();
  timeline.take(range(50, 60), true);
  expect(timeline.add(message(10))).toBe(false);
  timeline.more = false;
  expect(timeline.add(message(11))).toBe(true);
  expect(timeline.first?.lamport).toBe(11);
});

test('what is left of a conversation is its end', () => {
  const timeline = new Timeline();
  timeline.take(range(0, 1000), false);
  timeline.trim(120);
  expect(timeline.size).toBeGreaterThanOrEqual(120);
  expect(timeline.size).toBeLessThan(200);
  expect(timeline.last?.lamport).toBe(999);
  expect(timeline.more).toBe(true);
  expect(timeline.take(range(0, 1000), false)).toBeGreaterThan(800);
  expect(order(timeline)).toEqual(range(0, 1000).map((one) => one.lamport));
});

test('equal times are ordered by author and place in his chain', () => {
  const a = message(1, { author: 'a', seq: 5 });
  const b = message(1, { author: 'b', seq: 1 });
  expect(compare(a, b)).toBeLessThan(0);
  expect(compare(a, message(1, { author: 'a', seq: 6 }))).toBeLessThan(0);
  expect(compare(message(2), b)).toBeGreaterThan(0);
});

test('only the same device, soon after, continues a message', () => {
  expect(continues(message(1), message(2))).toBe(true);
  expect(continues(undefined, message(2))).toBe(false);
  expect(continues(message(1), message(2, { author: 'b' }))).toBe(false);
  expect(continues(message(1), message(2, { claimed_ms: 3_600_000 }))).toBe(false);
});
