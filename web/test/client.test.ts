import { beforeEach, expect, test } from 'vitest';
import { ask, listen, Refused, setTransport } from '../src/api/client';

/** What was sent to whoever answers at the port. */
let sent: string[];
let mark: string;
let up: () => void;
let down: (forGood: boolean) => void;

beforeEach(() => {
  sent = [];
  mark = 'ours';
  setTransport({
    async fetch(method, address) {
      sent.push(`${method} ${address}`);
      return { status: 200, text: '{}', mark };
    },
    listen(_event, stands, broke) {
      up = stands;
      down = broke;
      return () => {};
    },
  });
  listen(
    () => {},
    () => {},
    () => {},
  );
});

test('while the stream stands nothing is asked twice', async () => {
  up();
  await ask('GET /v1/circles');
  await ask('POST /v1/lock');
  expect(sent).toEqual(['GET /v1/circles', 'POST /v1/lock']);
});

test('who answers in the place of the node is told nothing', async () => {
  up();
  await ask('GET /v1/circles');
  // The node ends, and somebody else listens at its port: streams too.
  down(false);
  mark = 'theirs';
  up();
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
