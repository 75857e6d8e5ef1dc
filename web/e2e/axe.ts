// Looks at every screen with axe, light and dark.

import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { befriend, browse, Node, Person, until } from './house';

interface Finding {
  id: string;
  impact: string;
  nodes: { target: string[]; failureSummary: string }[];
}

/** What axe calls serious or worse on the page as it stands. */
async function findings(page: Page, axe: string): Promise<string[]> {
  const { violations } = (await page.evaluate(`${axe}; axe.run({ resultTypes: ['violations'] })`)) as { violations: Finding[] };
  const serious = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
  return serious.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join('; ')}`);
}

/** Returns the screens that have serious faults, with the faults. */
export async function screensWithFaults(): Promise<[screen: string, faults: string[]][]> {
  const axe = await readFile('node_modules/axe-core/axe.min.js', 'utf8');
  const browser = await browse();
  const [ann, ben, fresh] = (await Promise.all([Node.open('ann'), Node.open('ben'), Node.start('fresh')])) as [Node, Node, Node];
  await befriend(ann, ben);
  await ann.hexode('groups', 'create', 'Greenhouse', 'Ben');
  await until(() => ben.hexode('send', 'Ann', 'hello').then(() => true, () => false), 'Ben writes');
  await ann.hexode('send', 'Ben', 'welcome');
  const found: [string, string[]][] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    const look = async (screen: string, page: Page) => found.push([`${screen}, ${colorScheme}`, await findings(page, axe)]);
    // The page's own policy lets no foreign script in; axe comes past it, and changes nothing else.
    const person = await Person.at(browser, ann, { colorScheme, bypassCSP: true });
    const { page } = person;
    await page.goto(ann.page);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await look('closed', page);
    await person.open();
    await page.getByRole('link', { name: /Ben/ }).first().click();
    await page.getByText('hello').last().waitFor();
    await look('talk', page);
    const message = page.getByRole('article').first();
    await message.hover();
    await message.getByRole('button', { name: 'Actions' }).click();
    await look('actions', page);
    for (const screen of ['map', 'members', 'invite', 'settings', 'group', 'add']) {
      await page.goto(`${ann.page}#/-/${screen}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
      if (screen === 'map') await page.getByRole('table').first().waitFor();
      await look(screen, page);
    }
    await page.goto(`${ann.page}#/-/members`);
    await page.getByRole('button', { name: 'Verify' }).first().click();
    await page.getByRole('dialog').getByRole('listitem').first().waitFor();
    await look('verify', page);
    await person.leave();
    const newcomer = await Person.at(browser, fresh, { colorScheme, bypassCSP: true });
    await newcomer.open();
    await newcomer.page.getByLabel('Invitation link').waitFor();
    await look('fresh', newcomer.page);
    await newcomer.leave();
  }
  await browser.close();
  await Promise.all([ann, ben, fresh].map((node) => node.end()));
  return found.filter(([, faults]) => faults.length);
}
