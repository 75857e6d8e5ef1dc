// Measures one promise of the page that has a figure; the last line is the verdict. `cargo xtask bar web-…` runs it.

import { readdir, readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { screensWithFaults } from './axe';
import { befriend, browse, Node, PASSPHRASE, Person, until } from './house';

interface Verdict {
  figure: string;
  holds: boolean;
}

const bars: Record<string, () => Promise<Verdict>> = {
  'web-bundle': bundle,
  'web-first-message': firstMessage,
  'web-keystroke': keystroke,
  'web-scroll': scroll,
  'web-access': access,
};

/** Everything that a browser loads. */
async function bundle(): Promise<Verdict> {
  let sum = 0;
  for (const name of (await readdir('dist')).sort()) {
    const size = gzipSync(await readFile(`dist/${name}`), { level: 9 }).length;
    console.log(`${name}: ${size} B`);
    sum += size;
  }
  return { figure: `${(sum / 1024).toFixed(1)} KiB`, holds: sum <= 120 * 1024 };
}

/** A newcomer with an invitation's link in hand, from the open page to his first message on the other's screen. */
async function firstMessage(): Promise<Verdict> {
  const [ann, ben] = await Promise.all([Node.open('ann'), Node.start('ben')]);
  const circle = await ann.hexode<{ id: string }>('found', 'Allotment', '--as', 'Ann');
  await until(async () => (await ann.hexode<{ addresses: string[] }[]>('circles'))[0]?.addresses.length, 'an address');
  const { link } = await ann.hexode<{ link: string }>('invite');
  const browser = await browse();
  const watcher = await Person.at(browser, ann);
  await watcher.open();
  await watcher.page.getByRole('link', { name: /Everyone/ }).click();
  const newcomer = await Person.at(browser, ben);
  const { page } = newcomer;
  let actions = 0;
  const act = async (what: string, does: Promise<unknown>) => {
    await does;
    actions += 1;
    console.log(`${actions}. ${what} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
  };
  const began = performance.now();
  await newcomer.open();
  await act('paste the invitation', page.getByLabel('Invitation link').fill(link));
  await act('say one’s name', page.getByLabel('Your name in the circle').fill('Ben'));
  await act('choose a passphrase', page.getByLabel('Choose a passphrase').fill(PASSPHRASE));
  await act('press Enter', page.keyboard.press('Enter'));
  await page.getByRole('textbox', { name: 'Write to Everyone' }).waitFor();
  await act('type a message', page.keyboard.type('Hello, I am in.'));
  await act('press Enter', page.keyboard.press('Enter'));
  await watcher.page.getByRole('article', { name: 'Ben wrote' }).getByText('Hello, I am in.').waitFor();
  const seconds = (performance.now() - began) / 1000;
  await browser.close();
  await Promise.all([ann.end(), ben.end()]);
  void circle;
  return { figure: `${actions} actions, ${seconds.toFixed(1)} s`, holds: actions <= 6 && seconds <= 15 };
}

/** From the key that sends to the frame in which the other's screen shows it; both browsers on this machine. */
async function keystroke(): Promise<Verdict> {
  const [ann, ben] = await Promise.all([Node.open('ann'), Node.open('ben')]);
  await befriend(ann, ben);
  // Two processes, so that neither page waits for the other.
  const browsers = await Promise.all([browse(), browse()]);
  const people = await Promise.all([Person.at(browsers[0], ann), Person.at(browsers[1], ben)]);
  for (const person of people) {
    await person.open();
    await person.page.getByRole('link', { name: /Everyone/ }).click();
    await person.page.getByRole('textbox', { name: 'Write to Everyone' }).waitFor();
  }
  const [writer, reader] = people.map((person) => person.page) as [Page, Page];
  // Both pages read the same clock: `Date.now` to a tenth of a millisecond.
  await writer.evaluate(() => {
    const sent: number[] = ((window as never as { sent: number[] }).sent = []);
    addEventListener('keydown', (event) => event.key === 'Enter' && sent.push(performance.timeOrigin + performance.now()), true);
  });
  await reader.evaluate(() => {
    const seen: Record<string, number> = ((window as never as { seen: Record<string, number> }).seen = {});
    new MutationObserver(() => {
      const texts = [...document.querySelectorAll('article .text')].slice(-3).map((text) => text.textContent ?? '');
      // The next frame is the one that shows it.
      requestAnimationFrame(() => {
        const at = performance.timeOrigin + performance.now();
        for (const text of texts) seen[text] ??= at;
      });
    }).observe(document.querySelector('[role=log]')!, { childList: true, subtree: true });
  });
  const count = 300;
  const field = writer.getByRole('textbox', { name: 'Write to Everyone' });
  for (let number = 0; number < count; number += 1) {
    await field.fill(`message ${number}`);
    await field.press('Enter');
    await reader.waitForFunction((text) => text in (window as never as { seen: object }).seen, `message ${number}`);
  }
  const sent = await writer.evaluate(() => (window as never as { sent: number[] }).sent);
  const seen = await reader.evaluate(() => (window as never as { seen: Record<string, number> }).seen);
  const times = sent.map((at, number) => (seen[`message ${number}`] ?? Infinity) - at).sort((a, b) => a - b);
  const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? Infinity;
  await Promise.all(browsers.map((browser) => browser.close()));
  await Promise.all([ann.end(), ben.end()]);
  return { figure: `p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms of ${count}`, holds: at(0.5) <= 60 && at(0.99) <= 150 };
}

/** A conversation of 100,000 messages: opened, and scrolled through from the end to the beginning and back. */
async function scroll(): Promise<Verdict> {
  const count = Number(process.env['MESSAGES'] ?? 100_000);
  const ann = await Node.open('ann');
  const circle = await ann.hexode<{ id: string }>('found', 'Allotment', '--as', 'Ann');
  const began = performance.now();
  let next = 0;
  const writers = Array.from({ length: 64 }, async () => {
    while (next < count) {
      const number = next++;
      await post(ann, `/v1/circles/${circle.id}/messages`, { to: 'everyone', text: `${number}: ${'lorem ipsum dolor sit amet '.repeat(1 + (number % 7))}` });
    }
  });
  await Promise.all(writers);
  console.log(`${count} messages written in ${((performance.now() - began) / 1000).toFixed(0)} s`);

  const browser = await browse(['--enable-precise-memory-info']);
  const person = await Person.at(browser, ann);
  const { page } = person;
  await person.open();
  await page.getByRole('link', { name: /Everyone/ }).waitFor();
  const opens = await page.evaluate(async () => {
    const start = performance.now();
    const link = [...document.querySelectorAll<HTMLAnchorElement>('nav a')].find((one) => one.textContent?.includes('Everyone'));
    link?.click();
    while (!document.querySelector('article')) await new Promise(requestAnimationFrame);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    return performance.now() - start;
  });
  console.log(`opened in ${opens.toFixed(0)} ms`);

  const cdp = await person.context.newCDPSession(page);
  await cdp.send('Performance.enable');
  const frames = await page.evaluate(async () => {
    const log = document.querySelector<HTMLElement>('[role=log]')!;
    const frames: number[] = [];
    let last = performance.now();
    const frame = () => new Promise<void>((resolve) => requestAnimationFrame((now) => (frames.push(now - last), (last = now), resolve())));
    await frame();
    frames.length = 0;
    const end = performance.now() + 600_000;
    // As fast as a wheel turns that never stops; where the page has to wait for messages, it goes on waiting.
    while (performance.now() < end) {
      log.scrollTop -= 400;
      await frame();
      if (log.scrollTop < 2 && log.textContent?.includes('This is where it begins')) break;
    }
    const back = performance.now() + 10_000;
    while (performance.now() < back && log.scrollTop + log.clientHeight < log.scrollHeight - 10) {
      log.scrollTop += 2_000;
      await frame();
    }
    return frames;
  });
  const sorted = [...frames].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Infinity;
  const rate = 1000 / (frames.reduce((sum, frame) => sum + frame, 0) / frames.length);
  await cdp.send('HeapProfiler.collectGarbage');
  const { metrics } = await cdp.send('Performance.getMetrics');
  const heap = (metrics.find((metric) => metric.name === 'JSHeapUsedSize')?.value ?? Infinity) / (1 << 20);
  const whole = await page.evaluate(async () => {
    const measure = (performance as never as { measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }> }).measureUserAgentSpecificMemory;
    return measure ? (await measure.call(performance)).bytes / (1 << 20) : null;
  });
  console.log(`${frames.length} frames: p50 ${at(0.5).toFixed(1)} ms, p99 ${at(0.99).toFixed(1)} ms, longest ${at(1).toFixed(0)} ms, ${rate.toFixed(1)} a second`);
  console.log(`JavaScript heap ${heap.toFixed(0)} MiB, the page with its document ${whole?.toFixed(0) ?? 'not told'} MiB`);
  await browser.close();
  await ann.end();
  const memory = Math.max(heap, whole ?? 0);
  // A frame counts as kept if it comes within one and a half of a sixtieth of a second.
  const late = frames.filter((frame) => frame > 25).length / frames.length;
  return {
    figure: `${count} messages: opens in ${opens.toFixed(0)} ms; ${rate.toFixed(1)} fps, ${(late * 100).toFixed(2)} % of ${frames.length} frames late; ${memory.toFixed(0)} MiB`,
    holds: opens <= 300 && rate >= 59 && late <= 0.01 && memory <= 200,
  };
}

/** Every screen, light and dark, by axe. */
async function access(): Promise<Verdict> {
  const found = await screensWithFaults();
  for (const [screen, faults] of found) console.log(`${screen}: ${faults.join('; ')}`);
  const count = found.reduce((sum, [, faults]) => sum + faults.length, 0);
  return { figure: `${count} serious findings`, holds: count === 0 };
}

/** Asks a node through its socket. */
function post(node: Node, path: string, body: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = { host: 'node', 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    const asked = request({ socketPath: join(node.home, 'node.sock'), path, method: 'POST', headers }, (answer) => {
      answer.resume();
      answer.on('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`status ${answer.statusCode}`))));
    });
    asked.on('error', reject);
    asked.end(text);
  });
}

process.on('unhandledRejection', (error) => {
  console.error(error);
  process.exit(1);
});
const name = process.argv.at(-1) ?? '';
const bar = bars[name];
if (!bar) throw new Error(`there is no bar "${name}"`);
console.log(JSON.stringify(await bar()));
process.exit(0);
