// Two people, two nodes, two browsers: from nothing to a conversation, by what the page says and not by how it is made.

import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Browser } from 'playwright-core';
import { browse, Node, PASSPHRASE, Person } from './house';

let browser: Browser;
let ann: Person;
let ben: Person;

beforeAll(async () => {
  browser = await browse();
  ann = await Person.at(browser, await Node.start('ann'));
  ben = await Person.at(browser, await Node.start('ben'), { viewport: { width: 390, height: 780 }, hasTouch: true });
});

afterAll(async () => {
  await browser?.close();
  await ann?.node.end();
  await ben?.node.end();
});

test('a circle is founded, somebody is invited, joins, and both write', async () => {
  const { page } = ann;
  await ann.open();
  await page.getByText('Found a circle', { exact: true }).click();
  await page.getByLabel('Name of the circle').fill('Allotment');
  await page.getByLabel('Your name in the circle').fill('Ann');
  await page.getByLabel('Choose a passphrase').fill(PASSPHRASE);
  await page.getByRole('button', { name: 'Found the circle' }).click();
  await page.getByRole('button', { name: /Allotment/ }).waitFor();

  await page.getByRole('link', { name: 'Invite' }).click();
  await page.getByRole('button', { name: 'Make an invitation' }).click();
  const link = await page.getByRole('textbox', { name: 'Invitation link' }).inputValue();
  expect(link).toMatch(/^hexode:/);
  await page.getByRole('img', { name: 'The same link as a QR code' }).waitFor();

  await ben.open();
  await ben.page.getByLabel('Invitation link').fill(link);
  await ben.page.getByLabel('Your name in the circle').fill('Ben');
  await ben.page.getByLabel('Choose a passphrase').fill(PASSPHRASE);
  await ben.page.getByRole('button', { name: 'Join' }).click();

  // He stands where all talk.
  await ben.page.getByRole('textbox', { name: 'Write to Everyone' }).fill('Hello Ann, I am in.');
  await ben.page.getByRole('button', { name: 'Send' }).click();

  await page.getByRole('link', { name: /Everyone.*1 unread message/ }).click();
  await page.getByRole('article', { name: 'Ben wrote' }).getByText('Hello Ann, I am in.').waitFor();
  await page.getByRole('textbox', { name: 'Write to Everyone' }).fill('Welcome!');
  await page.keyboard.press('Enter');
  await ben.page.getByRole('article', { name: 'Ann wrote' }).getByText('Welcome!').waitFor();
  await page.getByRole('article', { name: 'You wrote' }).getByText(/Read/).waitFor();
  expect(ann.complaints).toEqual([]);
  expect(ben.complaints).toEqual([]);
});
