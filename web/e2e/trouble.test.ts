// What happens while the page is open: the node is killed, locked, filled with messages; the browser is put out.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { befriend, browse, Node, PASSPHRASE, Person, until } from './house';

let browser: Browser;
let ann: Person;
let ben: Node;

beforeAll(async () => {
  browser = await browse();
  const [a, b] = await Promise.all([Node.open('ann'), Node.open('ben')]);
  ben = b;
  await befriend(a, b);
  ann = await Person.at(browser, a);
  await ann.open();
  await ann.page.getByRole('link', { name: /Everyone/ }).click();
});

afterAll(async () => {
  await browser?.close();
  await ann?.node.end();
  await ben?.end();
});

test('a message is answered, changed, reacted to and taken back, and the other screen follows', async () => {
  const { page } = ann;
  const other = await Person.at(browser, ben);
  await other.open();
  await other.page.getByRole('link', { name: /Everyone/ }).click();
  await page.getByRole('textbox', { name: 'Write to Everyone' }).fill('The fence is brokn.');
  await page.keyboard.press('Enter');

  const theirs = other.page.getByRole('article', { name: 'Ann wrote' }).filter({ hasText: 'fence' });
  await theirs.hover();
  await theirs.getByRole('button', { name: 'Actions' }).click();
  await other.page.getByRole('menuitem', { name: 'React with 👍' }).click();
  const mine = page.getByRole('article', { name: 'You wrote' }).filter({ hasText: 'fence' });
  await mine.getByRole('button', { name: /React with 👍: Ben/ }).waitFor();

  await theirs.getByRole('button', { name: 'Actions' }).click();
  await other.page.getByRole('menuitem', { name: 'Reply' }).click();
  await other.page.getByRole('textbox', { name: 'Write to Everyone' }).fill('I mend it.');
  await other.page.keyboard.press('Enter');
  await page.getByRole('article', { name: 'Ben wrote' }).getByText('The fence is brokn.').waitFor();

  await mine.hover();
  await mine.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Edit' }).click();
  await page.getByRole('textbox', { name: 'Write to Everyone' }).fill('The fence is broken.');
  await page.keyboard.press('Enter');
  await theirs.getByText('The fence is broken.', { exact: true }).waitFor();
  await theirs.getByText('edited').waitFor();

  await mine.hover();
  await mine.getByRole('button', { name: 'Actions' }).click();
  await page.getByRole('menuitem', { name: 'Delete for all' }).click();
  await other.page.getByRole('article', { name: 'Ann wrote' }).getByText('This message was taken back.').waitFor();
  expect(ann.complaints).toEqual([]);
  expect(other.complaints).toEqual([]);
  await other.leave();
});

test('a draft survives a reload, in the vault', async () => {
  const { page } = ann;
  const stored = page.waitForResponse((answer) => answer.url().endsWith('/draft') && answer.request().method() === 'PUT');
  await page.getByRole('textbox', { name: 'Write to Everyone' }).fill('Not finished yet');
  await stored;
  await page.reload();
  expect(await page.getByRole('textbox', { name: 'Write to Everyone' }).inputValue()).toBe('Not finished yet');
  await page.getByRole('textbox', { name: 'Write to Everyone' }).fill('');
});

test('a text that fails when its conversation was left is there when one comes back', async () => {
  const { page, node } = ann;
  let fail = () => {};
  const failing = new Promise<void>((resolve) => (fail = resolve));
  const sending = '**/v1/circles/*/messages';
  await page.route(sending, async (route) => {
    if (route.request().method() !== 'POST') return route.continue();
    await failing;
    await route.abort();
  });
  const field = page.getByRole('textbox', { name: 'Write to Everyone' });
  await field.fill('The well is dry.');
  await page.keyboard.press('Enter');
  await page.goto(`${node.page}#/-/settings`);
  await field.waitFor({ state: 'detached' });
  fail();
  await page.getByText('Not sent').waitFor();
  await page.goto(`${node.page}#/-/talk`);
  await page.getByRole('link', { name: /Everyone/ }).click();
  expect(await field.inputValue()).toBe('The well is dry.');
  await page.unroute(sending);
  await field.fill('');
});

test('an edit leaves the draft alone, and one that fails is still an edit', async () => {
  const { page, node } = ann;
  const field = page.getByRole('textbox', { name: 'Write to Everyone' });
  await node.hexode('send', 'everyone', 'The gate is opne.');
  const mine = page.getByRole('article', { name: 'You wrote' }).filter({ hasText: 'The gate is' });
  const edit = async () => {
    await mine.hover();
    await mine.getByRole('button', { name: 'Actions' }).click();
    await page.getByRole('menuitem', { name: 'Edit' }).click();
  };
  await field.fill('a draft');
  await edit();
  expect(await field.inputValue()).toBe('The gate is opne.');
  await page.keyboard.press('Escape');
  expect(await field.inputValue()).toBe('a draft');

  await edit();
  await field.fill('The gate is open.');
  await page.route('**/v1/circles/*/messages/*', (route) => route.abort());
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('Not sent').waitFor();
  expect(await field.inputValue()).toBe('The gate is open.');
  await page.unroute('**/v1/circles/*/messages/*');
  await field.press('Enter');
  await mine.getByText('The gate is open.', { exact: true }).waitFor();
  await mine.getByText('edited').waitFor();
  expect(await page.getByText('The gate is open.', { exact: true }).count(), 'no message of its own').toBe(1);
  expect(await field.inputValue()).toBe('a draft');
  // And so it is in the vault, in which the edit's text never was.
  const kept = async () => (await node.hexode<{ draft?: { text: string } }[]>('conversations')).flatMap((one) => one.draft?.text ?? []);
  await until(async () => (await kept()).join() === 'a draft', 'the draft is stored');
  await field.fill('');
});

test('a conversation that was put away is out of the way', async () => {
  const { page, node } = ann;
  await node.hexode('send', 'Ben', 'between us');
  const row = page.getByRole('link', { name: /between us/ });
  await row.waitFor();
  await node.hexode('keep', 'archive', 'Ben');
  await row.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Put away (1)' }).click();
  await row.waitFor();
  await node.hexode('keep', 'unarchive', 'Ben');
  await page.getByRole('button', { name: /Put away/ }).waitFor({ state: 'detached' });
});

test('two tabs of one browser both hear what happens, through one stream', async () => {
  const second = await ann.context.newPage();
  await second.goto(ann.node.page);
  await second.getByRole('link', { name: /Everyone/ }).click();
  await ben.hexode('send', 'everyone', 'for both');
  await second.getByRole('article', { name: 'Ben wrote' }).getByText('for both').waitFor();
  await ann.page.getByRole('article', { name: 'Ben wrote' }).getByText('for both').waitFor();
  // The first tab held the stream; the second goes on by itself.
  await ann.page.close();
  await ben.hexode('send', 'everyone', 'for the one that is left');
  await second.getByRole('article', { name: 'Ben wrote' }).getByText('for the one that is left').waitFor();
  await second.close();
  const { context, node } = ann;
  await context.close();
  ann = await Person.at(browser, node);
  await ann.open();
  await ann.page.getByRole('link', { name: /Everyone/ }).click();
});

test('the node is locked elsewhere: nothing stays on the page, and unlocking brings it back', async () => {
  const { page, node } = ann;
  await page.getByRole('article', { name: 'Ben wrote' }).first().waitFor();
  await node.hexode('lock');
  await page.getByLabel('Passphrase').fill('not the passphrase');
  expect(await page.getByText('for both').count()).toBe(0);
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('alert').getByText('wrong passphrase').waitFor();
  await page.getByLabel('Passphrase').fill(PASSPHRASE);
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('article', { name: 'Ben wrote' }).getByText('for both').waitFor();
});

test('the node is killed: the page says so, and soon shows nothing; a new link goes on', async () => {
  const { page, node } = ann;
  await node.kill();
  await page.getByRole('status').getByText('Your node does not answer').waitFor();
  await page.getByText('for both').waitFor();
  await page.getByRole('heading', { name: 'Your node does not answer' }).waitFor();
  expect(await page.getByText('for both').count()).toBe(0);
  await node.start();
  // The page has another address at each start: what stands at the old one is nobody's.
  await page.getByRole('heading', { name: 'Open this page from your node' }).waitFor();
  await ann.open();
  await page.getByLabel('Passphrase').fill(PASSPHRASE);
  await page.getByRole('button', { name: 'Unlock' }).click();
  await page.getByRole('link', { name: /Everyone/ }).click();
  await ben.hexode('send', 'everyone', 'after the crash');
  await page.getByRole('article', { name: 'Ben wrote' }).getByText('after the crash').waitFor();
});

test('the session is ended elsewhere: the page is closed at once', async () => {
  const { page, node } = ann;
  for (const { id } of await node.hexode<{ id: string }[]>('tokens')) await node.hexode('tokens', 'revoke', id);
  await page.getByRole('heading', { name: 'Open this page from your node' }).waitFor();
  expect(await page.getByText('for both').count()).toBe(0);
  // A link that is opened where the page already is.
  await page.goto(await node.link());
  await page.getByRole('link', { name: /Everyone/ }).waitFor();
});

test('names as long as can be and texts of 64 KiB keep the page in shape', async () => {
  const { page, node } = ann;
  await node.hexode('groups', 'create', 'W'.repeat(64), 'Ben');
  await ben.hexode('send', 'everyone', 'x'.repeat(20_000));
  await page.getByRole('link', { name: /Everyone/ }).click();
  await page.getByText('x'.repeat(20_000)).waitFor();
  const sizes = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, window: innerWidth }));
  expect(sizes.wide).toBeLessThanOrEqual(sizes.window);
});
