import { beforeEach, expect, test } from 'vitest';
import { ask, believe, listen, Refused, setTransport } from '../src/api/client';
import type { Event } from '../src/api/generated';

/** What was sent to whoever answers at the port. */
let sent: string[];
let mark: string;
let up: () => void;
let down: (forGood: boolean) => void;
let say: (event: Event) => void;
/** What was heard of him. */
let heard: string[];
/** Whether he answers at all. */
let silent: boolean;

const LOCKED: Event = { event: 'locked' };
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

beforeEach(() => {
  sent = [];
  heard = [];
  mark = 'ours';
  silent = false;
  setTransport({
    async fetch(method, address, _body, patience) {
      sent.push(`${method} ${address}`);
      // Whoever waits for ever for whoever says nothing would hang here.
      if (silent) return new Promise((_, reject) => setTimeout(reject, Math.min(patience, 20)));
      return { status: 200, text: '{}', mark };
    },
    listen(event, stands, broke) {
      say = event;
      up = stands;
      down = broke;
      return () => {};
    },
  });
  listen(
    (event) => heard.push(event.event),
    () => heard.push('up'),
    (forGood) => heard.push(forGood ? 'over' : 'down'),
  );
});

test('while the stream stands nothing is asked twice', async () => {
  up();
  await settled();
  expect(heard).toEqual(['up']);
  sent = [];
  await ask('GET /v1/circles');
  await ask('POST /v1/lock');
  expect(sent).toEqual(['GET /v1/circles', 'POST /v1/lock']);
});

test('while no stream stands the node is asked first, once for all that is asked at a time', async () => {
  await Promise.all([ask('GET /v1/circles'), ask('GET /v1/status'), ask('POST /v1/lock')]);
  expect(sent).toEqual(['GET /v1/vault', 'GET /v1/circles', 'GET /v1/status', 'POST /v1/lock']);
});

test('who opens a stream in the place of the node is not heard', async () => {
  up();
  await settled();
  say(LOCKED);
  down(false);
  mark = 'theirs';
  up();
  await settled();
  say(LOCKED);
  expect(heard).toEqual(['up', 'locked', 'down', 'over']);
  // Nor is who opens one and answers nothing else.
  mark = 'ours';
  silent = true;
  up();
  await ask('GET /v1/circles').catch(() => undefined);
  say(LOCKED);
  expect(heard).toEqual(['up', 'locked', 'down', 'over']);
  silent = false;
  down(false);
  up();
  await settled();
  say(LOCKED);
  expect(heard).toEqual(['up', 'locked', 'down', 'over', 'down', 'up', 'locked']);
});

test('what another tab says of the stream counts as long as it says so', async () => {
  await ask('GET /v1/circles');
  believe(true);
  sent = [];
  await ask('GET /v1/circles');
  await ask('POST /v1/lock');
  expect(sent, 'asked once whether it is ours').toEqual(['GET /v1/vault', 'GET /v1/circles', 'POST /v1/lock']);
  believe(false);
  sent = [];
  await ask('POST /v1/lock');
  expect(sent).toEqual(['GET /v1/vault', 'POST /v1/lock']);
});

test('who answers in the place of the node is told nothing', async () => {
  up();
  await settled();
  await ask('GET /v1/circles');
  // The node ends, and somebody else listens at its port: streams too.
  down(false);
  mark = 'theirs';
  up();
  await settled();
  sent = [];
  const search = ask('GET /v1/circles/{circle}/search', { path: { circle: 'c' }, query: { words: 'a secret' } });
  await expect(search).rejects.toThrow('another program');
  expect(sent, 'nor what was looked for').toEqual(['GET /v1/vault']);
  sent = [];
  const refused = await ask('POST /v1/unlock', { body: { passphrase: 'a secret' } }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Refused);
  expect((refused as Refused).kind).toBe('no-session');
  expect(sent, 'the passphrase was not among it').toEqual(['GET /v1/vault']);
  await expect(ask('GET /v1/circles')).rejects.toThrow('another program');
  // The node was only slow.
  mark = 'ours';
  await ask('POST /v1/lock');
  expect(sent.at(-1)).toBe('POST /v1/lock');
});
