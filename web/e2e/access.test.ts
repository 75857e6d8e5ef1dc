// Every screen for people who do not see it, or use no pointer.

import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { befriend, browse, Node, Person, until } from './house';

interface Finding {
  id: string;
  impact: string;
  nodes: { target: string[]; failureSummary: string }[];
}

let browser: Browser;
let ann: Node;
let ben: Node;
let circle: string;
const axe = readFile('node_modules/axe-core/axe.min.js', 'utf8');

beforeAll(async () => {
  browser = await browse();
  [ann, ben] = await Promise.all([Node.open('ann'), Node.open('ben')]);
  circle = (await befriend(ann, ben)).id;
  await ann.hexode('group', 'Greenhouse', 'Ben');
  await until(() => ben.hexode('send', 'Ann', 'hello').then(() => true, () => false), 'Ben writes');
  await ann.hexode('send', 'everyone', 'welcome');
});

afterAll(async () => {
  await browser?.close();
  await ann?.end();
  await ben?.end();
});

/** What axe calls serious or worse. */
async function findings(page: Page): Promise<string[]> {
  const { violations } = (await page.evaluate(`${await axe}; axe.run({ resultTypes: ['violations'] })`)) as { violations: Finding[] };
  const serious = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
  return serious.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join('; ')}`);
}

for (const colorScheme of ['light', 'dark'] as const) {
  test(`no screen has a serious fault, ${colorScheme}`, async () => {
    // The page's own policy lets no foreign script in; axe comes past it, and changes nothing else.
    const person = await Person.at(browser, ann, { colorScheme, bypassCSP: true });
    const { page } = person;
    const found: Record<string, string[]> = {};
    await page.goto(ann.page);
    await page.getByRole('heading', { level: 1 }).waitFor();
    found['closed'] = await findings(page);
    await person.open();
    await page.getByRole('link', { name: /Ben/ }).first().click();
    await page.getByText('hello').last().waitFor();
    found['talk'] = await findings(page);
    const message = page.getByRole('article').first();
    await message.hover();
    await message.getByRole('button', { name: 'Actions' }).click();
    found['actions'] = await findings(page);
    for (const screen of ['map', 'members', 'invite', 'settings', 'group', 'add']) {
      await page.goto(`${ann.page}#/${circle}/${screen}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      if (screen === 'map') await page.getByRole('table').first().waitFor();
      found[screen] = await findings(page);
    }
    await page.goto(`${ann.page}#/${circle}/members`);
    await page.getByRole('button', { name: 'Verify' }).first().click();
    await page.getByRole('dialog').getByRole('listitem').first().waitFor();
    found['verify'] = await findings(page);
    expect(Object.entries(found).filter(([, faults]) => faults.length)).toEqual([]);
    await person.leave();
  });
}

test('a conversation is opened, answered and left by keyboard alone', async () => {
  const person = await Person.at(browser, ann);
  const { page } = person;
  await person.open();
  await page.getByRole('link', { name: /Ben/ }).first().waitFor();
  const focused = () => page.evaluate(() => document.activeElement === document.body ? '' : (document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '').trim());
  const tabTo = async (wanted: RegExp) => {
    for (let press = 0; press < 40; press += 1) {
      await page.keyboard.press('Tab');
      if (wanted.test(await focused())) return;
    }
    throw new Error(`${String(wanted)} is not reached by keyboard`);
  };
  await tabTo(/Ben/);
  await page.keyboard.press('Enter');
  await page.getByRole('textbox', { name: 'Write to Ben' }).waitFor();
  expect(await focused()).toBe('Write to Ben');
  await page.keyboard.type('by keyboard');
  await page.keyboard.press('Enter');
  await page.getByRole('article', { name: 'You wrote' }).getByText('by keyboard').waitFor();
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Enter');
  await page.getByRole('menu', { name: 'Actions' }).waitFor();
  await page.keyboard.press('Escape');
  expect(await page.getByRole('menu', { name: 'Actions' }).count()).toBe(0);
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await tabTo(/^Map$/);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'The circle, as it is now' }).waitFor();
  await person.leave();
});
