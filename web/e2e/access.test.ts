// Every screen for people who do not see it, or use no pointer.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { screensWithFaults } from './axe';
import { befriend, browse, Node, Person, until } from './house';

let browser: Browser;
let ann: Node;
let ben: Node;

beforeAll(async () => {
  browser = await browse();
  [ann, ben] = await Promise.all([Node.open('ann'), Node.open('ben')]);
  await befriend(ann, ben);
  await ann.hexode('groups', 'create', 'Greenhouse', 'Ben');
  await until(() => ben.hexode('send', 'Ann', 'hello').then(() => true, () => false), 'Ben writes');
  await ann.hexode('send', 'everyone', 'welcome');
});

afterAll(async () => {
  await browser?.close();
  await ann?.end();
  await ben?.end();
});

test('no screen has a serious fault, light or dark', async () => {
  expect(await screensWithFaults()).toEqual([]);
});

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
