// What an attacker can try who has a page of his own in the same browser, or a seat in the circle.

import { createServer, request, type Server } from 'node:http';
import { createServer as listener } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { befriend, browse, Node, Person, until } from './house';

const SCRIPTS = [
  '<script>window.hit=1</script>',
  '<img src=x onerror="window.hit=1">',
  '<svg/onload=window.hit=1>',
  '{@html "<b>"}{{constructor.constructor("window.hit=1")()}}',
  'javascript:window.hit=1',
  '"><iframe srcdoc="<script>parent.hit=1</script>">',
];

let browser: Browser;
let ann: Person;
let ben: Node;
let circle: string;
let evil: Server;
/** A page of another origin, on this machine as on any other. */
let elsewhere: string;

beforeAll(async () => {
  // The evil host resolves to this machine: that is what rebinding comes to.
  browser = await browse(['--host-resolver-rules=MAP evil.example 127.0.0.1']);
  const [a, b] = await Promise.all([Node.open('ann'), Node.open('ben')]);
  ben = b;
  circle = (await befriend(a, b)).id;
  ann = await Person.at(browser, a);
  await ann.open();
  await ann.page.getByRole('button', { name: /Allotment/ }).waitFor();
  evil = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'));
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
  elsewhere = `http://127.0.0.1:${(evil.address() as AddressInfo).port}/`;
});

afterAll(async () => {
  await browser?.close();
  evil?.close();
  await ann?.node.end();
  await ben?.end();
});

test('another page can read nothing, change nothing, listen to nothing and embed nothing', async () => {
  const page = await ann.context.newPage();
  await page.goto(elsewhere);
  const target = ann.node.page;
  const tried = await page.evaluate(async (target) => {
    const outcome: Record<string, string> = {};
    const ask = (name: string, path: string, init: RequestInit) =>
      fetch(target + path, init).then(
        async (answer) => (outcome[name] = answer.type === 'opaque' ? 'opaque' : `read ${answer.status}`),
        () => (outcome[name] = 'refused'),
      );
    await ask('read', 'v1/circles', { credentials: 'include' });
    await ask('post', 'v1/circles', { method: 'POST', credentials: 'include', body: '{"name":"x","member":"x","device":"x"}', headers: { 'content-type': 'text/plain' } });
    await ask('post without cors', 'v1/circles', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"name":"x","member":"x","device":"x"}' });
    await ask('lock without cors', 'v1/lock', { method: 'POST', mode: 'no-cors', credentials: 'include' });
    const source = new EventSource(`${target}v1/events`, { withCredentials: true });
    outcome['listen'] = await new Promise((resolve) => {
      source.onopen = () => resolve('heard');
      source.onerror = () => resolve('refused');
    });
    source.close();
    outcome['socket'] = await new Promise((resolve) => {
      const socket = new WebSocket(`${target.replace('http', 'ws')}v1/events`);
      socket.onopen = () => resolve('heard');
      socket.onerror = () => resolve('refused');
    });
    const script = document.createElement('script');
    script.src = `${target}app.js`;
    outcome['script'] = await new Promise((resolve) => {
      script.onload = () => resolve('loaded');
      script.onerror = () => resolve('refused');
      document.head.append(script);
    });
    const frame = document.createElement('iframe');
    frame.src = target;
    await new Promise((resolve) => {
      frame.onload = frame.onerror = resolve;
      document.body.append(frame);
    });
    try {
      outcome['frame'] = frame.contentWindow?.length === 0 && frame.contentDocument === null ? 'sealed' : 'open';
    } catch {
      outcome['frame'] = 'sealed';
    }
    return outcome;
  }, target);
  expect(tried).toMatchObject({ read: 'refused', post: 'refused', listen: 'refused', socket: 'refused', script: 'refused' });
  for (const frame of page.frames().slice(1)) {
    expect(await frame.locator('#app').count(), 'the page stands in no frame').toBe(0);
  }
  const form = await ann.context.newPage();
  await form.goto(elsewhere);
  await form.evaluate((target) => {
    const form = Object.assign(document.createElement('form'), { method: 'POST', action: `${target}v1/lock`, enctype: 'text/plain' });
    document.body.append(form);
    form.submit();
  }, target);
  await form.waitForLoadState();
  const status = await ann.node.hexode<{ locked: boolean; circles: unknown[] }>('status');
  expect(status.locked).toBe(false);
  expect(await ann.node.hexode<unknown[]>('circles')).toHaveLength(1);
  await page.close();
  await form.close();
});

test('a name that was rebound to this machine shows nothing', async () => {
  const page = await ann.context.newPage();
  const port = new URL(ann.node.page).port;
  for (const host of [`evil.example:${port}`, `127.0.0.1:${port}`, `localhost:${port}`, `other.localhost:${port}`]) {
    const answer = await page.goto(`http://${host}/`);
    expect([403, 421], host).toContain(answer?.status());
    expect(await page.locator('#app').count(), host).toBe(0);
    const read = await page.evaluate(() => fetch('/v1/vault').then((answer) => answer.status, () => 0));
    expect([0, 403, 421], host).toContain(read);
  }
  await page.close();
});

test('a script in any text that a member controls stays text', async () => {
  const { page, node } = ann;
  await page.addInitScript(() => Object.defineProperty(window, 'hit', { set: () => document.documentElement.setAttribute('data-hit', '1') }));
  await page.reload();
  for (const script of SCRIPTS) await ben.hexode('send', 'everyone', script);
  await ben.hexode('groups', 'create', SCRIPTS[1]!.slice(0, 60), 'Ann');
  await until(() => ben.hexode('send', SCRIPTS[1]!.slice(0, 60), SCRIPTS[2]!).then(() => true), 'the group is there');
  const { link } = await node.hexode<{ link: string }>('invite');
  const mallory = await Node.open('mallory');
  await mallory.hexode('join', link, '--as', SCRIPTS[2]!, '--device', SCRIPTS[0]!);
  await mallory.hexode('send', 'everyone', '\u202egnp.exe\u202c and more');

  await page.getByRole('link', { name: /Everyone/ }).click();
  for (const script of SCRIPTS) await page.getByRole('article').getByText(script, { exact: true }).last().waitFor();
  await page.getByRole('article', { name: SCRIPTS[2]! }).getByText('and more').waitFor();
  for (const screen of ['members', 'map', 'settings', 'invite', 'group']) {
    await page.goto(`${node.page}#/-/${screen}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    if (screen === 'members') await page.getByRole('heading', { name: SCRIPTS[2]! }).waitFor();
    if (screen === 'map') await page.getByRole('row', { name: new RegExp('onload') }).first().waitFor();
  }
  await page.goto(`${node.page}#/-/talk`);
  await page.getByRole('link', { name: new RegExp('onerror') }).first().click();
  await page.getByRole('article').getByText(SCRIPTS[2]!, { exact: true }).waitFor();

  expect(await page.locator('html').getAttribute('data-hit')).toBeNull();
  expect(await page.locator('iframe, #app script, img').count()).toBe(0);
  // What Chromium says against a script that was tried would stand here.
  expect(ann.complaints).toEqual([]);
  await mallory.end();
});

test('what the browser keeps says nothing of the circle', async () => {
  const { page } = ann;
  await page.goto(`${ann.node.page}#/-/talk`);
  await page.getByRole('link', { name: /Everyone/ }).click();
  await page.getByRole('textbox', { name: 'Write to Everyone' }).fill('a draft of a secret');
  const kept = await page.evaluate(async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    databases: (await indexedDB.databases()).length,
    caches: (await caches.keys()).length,
    cookies: document.cookie,
  }));
  expect(kept).toEqual({ local: {}, session: {}, databases: 0, caches: 0, cookies: '' });
  // The list of what was visited is on the disk, and outlives the vault.
  const devtools = await ann.context.newCDPSession(page);
  const { entries } = await devtools.send('Page.getNavigationHistory');
  expect(entries.some(({ url }) => /#\/[a-z2-7]{5}\/talk\/[a-z2-7]{5}$/.test(url))).toBe(true);
  const everyone = (await ann.node.hexode<{ id: string }[]>('conversations'))[0]!.id;
  for (const { url, title } of entries) for (const id of [circle, everyone]) expect(url + title).not.toContain(id);
  const cookies = await ann.context.cookies();
  expect(cookies).toHaveLength(1);
  expect(cookies[0]).toMatchObject({ httpOnly: true, sameSite: 'Strict', path: '/v1' });
});

test('nobody else has the other half of the port, to which a browser may go first', async () => {
  const port = Number(new URL(ann.node.page).port);
  for (const host of ['::1', '::', '0.0.0.0']) {
    const outcome = await new Promise((resolve) => {
      const squatter = listener().once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      squatter.listen({ port, host, ipv6Only: host === '::' }, () => squatter.close(() => resolve('listening')));
    });
    expect(outcome, host).toBe('EADDRINUSE');
  }
});

test('who answers at the port while the node is down gets nothing that is of use later', async () => {
  const { page, node } = ann;
  const old = new URL(node.page);
  const cookies: string[] = [];
  const told: string[] = [];
  /** What he was asked by the page that was open. */
  const wanted: string[] = [];
  await page.goto(`${node.page}#/-/talk`);
  await page.getByRole('link', { name: /Everyone/ }).click();
  const field = page.getByRole('textbox', { name: 'Write to Everyone' });
  await field.waitFor();
  await node.kill();
  let [watched, silent] = [true, true];
  const squatter = createServer((asked, response) => {
    if (asked.headers.cookie) cookies.push(asked.headers.cookie);
    asked.on('data', (part) => told.push(String(part)));
    if (watched) wanted.push(asked.url ?? '');
    // As patient as the node would be: the page's stream stands again.
    if (asked.url === '/v1/events') {
      response.setHeader('content-type', 'text/event-stream');
      return void response.write(`data: ${JSON.stringify({ event: 'fork', circle, author: 'x' })}\n\n`);
    }
    // He lets the page wait for ever, at first.
    if (watched && silent) return;
    const script = asked.url === '/worker.js';
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html');
    response.end(script ? "addEventListener('fetch', (event) => event.respondWith(new Response('evil')));" : '<!doctype html><title>evil</title>');
  });
  await new Promise<void>((resolve) => squatter.listen(Number(old.port), '127.0.0.1', resolve));
  // The page that is open there does not take him for its node, and does not go on showing what came from that.
  await field.fill('not for him');
  await page.keyboard.press('Enter');
  await page.getByRole('searchbox').fill('nor this');
  await page.getByRole('heading', { name: 'Your node does not answer' }).waitFor();
  silent = false;
  squatter.closeAllConnections();
  await page.getByRole('heading', { name: 'Open this page from your node' }).waitFor();
  watched = false;
  expect(told).toEqual([]);
  const innocent = new Set(['/v1/events', '/v1/vault', '/']);
  expect(wanted.filter((path) => !innocent.has(path)), 'nothing but whether it is ours').toEqual([]);
  await page.goto(old.href);
  await page.evaluate(async () => {
    await navigator.serviceWorker.register('/worker.js');
    await navigator.serviceWorker.ready;
    await fetch('/v1/anything', { credentials: 'include' });
  });
  expect(cookies.length, 'he got the cookie').toBeGreaterThan(0);
  squatter.closeAllConnections();
  await new Promise((resolve) => squatter.close(resolve));

  await node.start();
  await node.unlock();
  expect(new URL(node.page).port).toBe(old.port);
  const { host } = new URL(node.page);
  const headers = { host, cookie: cookies[0]!, 'sec-fetch-site': 'same-origin' };
  const status = await new Promise((resolve) => {
    request({ port: Number(old.port), host: '127.0.0.1', path: '/v1/circles', headers }, (answer) => resolve(answer.resume().statusCode)).end();
  });
  expect(status, 'what he got opens nothing').toBe(401);
  await ann.open();
  await page.getByRole('button', { name: /Allotment/ }).waitFor();
  expect(await page.evaluate(() => navigator.serviceWorker.getRegistrations().then((all) => all.length))).toBe(0);
});
