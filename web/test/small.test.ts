import { expect, test, vi } from 'vitest';
import type { Member, Tunnel } from '../src/api/generated';
import { FakeNode } from '../mock/node';
import { layout } from '../src/state/map';
import { forgetHandles, link, parse } from '../src/state/route';
import { isQuiet } from '../src/state/quiet';
import { read } from '../src/state/settings.svelte';
import { Soon } from '../src/state/soon';
import { bytes, dayName, roundTrip } from '../src/state/time';

const ID = 'a'.repeat(52);
const OTHER = 'b'.repeat(52);

test('an address comes back as it was written, and nonsense is the start', () => {
  expect(parse(link(ID, 'talk', OTHER))).toEqual({ circle: ID, screen: 'talk', conversation: OTHER });
  expect(parse(link(ID, 'map'))).toEqual({ circle: ID, screen: 'map', conversation: null });
  for (const nonsense of ['', '#', '#/x/y/z', '#/../..', `#/${ID}/talk/<script>`, '#open=12']) {
    expect(parse(nonsense).conversation).toBeNull();
    expect(parse(nonsense).screen).toBe('talk');
  }
});

test('an address tells nothing to who writes it down, and something only to who knows the ids', () => {
  const address = link(ID, 'talk', OTHER);
  expect(address).toMatch(/^#\/[a-z2-7]{5}\/talk\/[a-z2-7]{5}$/);
  forgetHandles();
  expect(parse(address)).toEqual({ circle: null, screen: 'talk', conversation: null });
  // After the page was loaded anew the same ids have the same handles, whichever comes first.
  link(null, 'talk', OTHER);
  expect(link(ID, 'talk', OTHER)).toBe(address);
  const all = new Set(Array.from({ length: 20_000 }, (_, count) => link(`id ${count}`)));
  expect(all.size, 'no two have the same').toBe(20_000);
  forgetHandles();
});

test('a conversation that is muted, put away or with somebody blocked makes no noise', () => {
  expect(isQuiet({}, 5)).toBe(false);
  expect(isQuiet({ muted_until_ms: 5 }, 5)).toBe(false);
  for (const quiet of [{ muted_until_ms: 6 }, { archived: true }, { blocked: true }]) expect(isQuiet(quiet, 5)).toBe(true);
});

test('settings that somebody changed by hand do no harm', () => {
  for (const text of [null, '', '{', '[]', '7', '{"theme":"<b>","notify":1,"sound":"yes"}']) {
    expect(read(text)).toEqual({ theme: 'auto', notify: 'off', sound: false });
  }
  expect(read('{"theme":"dark","notify":"whole","sound":true}')).toEqual({ theme: 'dark', notify: 'whole', sound: true });
});

test('ten thousand wishes in a moment are one doing, and one more after it', async () => {
  vi.useFakeTimers();
  const soon = new Soon();
  let done = 0;
  let finish = () => {};
  const act = () => new Promise<void>((resolve) => ((done += 1), (finish = resolve)));
  for (let count = 0; count < 10_000; count += 1) soon.run('x', 50, act);
  await vi.advanceTimersByTimeAsync(60);
  expect(done).toBe(1);
  for (let count = 0; count < 10_000; count += 1) soon.run('x', 50, act);
  finish();
  await vi.advanceTimersByTimeAsync(60);
  expect(done).toBe(2);
  finish();
  await vi.advanceTimersByTimeAsync(60);
  expect(done).toBe(2);
  vi.useRealTimers();
});

test('round trips, amounts and days read as people say them', () => {
  expect([roundTrip(420), roundTrip(1234), roundTrip(48_700)]).toEqual(['420 µs', '1.2 ms', '49 ms']);
  expect([bytes(5), bytes(2048), bytes(123_456_789)]).toEqual(['5 B', '2.0 KiB', '118 MiB']);
  const now = Date.now();
  const names = { today: 'Today', yesterday: 'Yesterday' };
  expect([dayName(now, now, names), dayName(now - 86_400_000, now, names)]).toEqual(['Today', 'Yesterday']);
});

test('nothing on the map lies outside it or on top of another', async () => {
  const fake = new FakeNode();
  const tunnels = JSON.parse((await fake.fetch('GET', `/v1/circles/${ID}/tunnels`, undefined)).text) as Tunnel[];
  for (const count of [1, 2, 3, 6, 10]) {
    const others = Array.from({ length: count }, (_, at): Member => {
      const devices = fake.members[1]!.devices.map((device) => ({ ...device, id: `${device.id}${at}` }));
      return { ...fake.members[1]!, id: `${at}`, devices };
    });
    for (const [width, height] of [[720, 446], [360, 340]] as const) {
      const map = layout([fake.members[0]!, ...others], tunnels, width, height);
      const spots = map.homes.flatMap((home) => home.spots);
      expect(spots).toHaveLength(2 + count);
      for (const spot of spots) {
        expect(spot.x).toBeGreaterThan(20);
        expect(spot.x).toBeLessThan(width - 20);
        expect(spot.y).toBeGreaterThan(10);
        expect(spot.y).toBeLessThan(height);
      }
      for (const [at, a] of spots.entries()) {
        for (const b of spots.slice(at + 1)) expect(Math.hypot(a.x - b.x, a.y - b.y), `${count} at ${width}`).toBeGreaterThan(34);
      }
    }
  }
});

test('the fake node refuses what its sentinels ask for, and nothing while locked', async () => {
  const fake = new FakeNode();
  const send = (text: string) => fake.fetch('POST', `/v1/circles/${ID}/messages`, JSON.stringify({ to: fake.conversations[0]!.id, text }));
  expect((await send('hello')).status).toBe(200);
  expect((await send('disk full')).status).toBe(507);
  fake.lock();
  expect((await send('hello')).status).toBe(423);
  expect((await fake.fetch('GET', '/v1/vault', undefined)).text).toContain('"locked":true');
});
