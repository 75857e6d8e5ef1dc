// Takes a picture of every screen, wide and narrow, light and dark, from real nodes: `npm run screens`.

import { mkdir } from 'node:fs/promises';
import { befriend, browse, Node, Person, until } from './house';

const folder = process.env['SCREENS'] ?? '../docs/screens';
process.on('unhandledRejection', (error) => {
  console.error(error);
  // The nodes end with this process.
  process.exit(1);
});
await mkdir(folder, { recursive: true });

const [ann, ben, cara, phone] = await Promise.all(['ann', 'ben', 'cara', 'phone'].map((name) => Node.open(name))) as [Node, Node, Node, Node];
const fresh = await Node.start('fresh');
await befriend(ann, ben);
const invite = async (...words: string[]) => (await ann.hexode<{ link: string }>('invite', ...words)).link;
await cara.hexode('join', await invite(), '--as', 'Cara Lindgren', '--device', 'laptop');
await phone.hexode('join', await invite('--own-device'), '--own-device', '--device', 'phone');
await invite('--role', 'guest', '--expires', '7d');
await until(async () => (await ann.hexode<{ connected: number }[]>('circles'))[0]?.connected === 3, 'all are connected');
await ann.hexode('groups', 'create', 'Greenhouse', 'Ben', 'Cara Lindgren');
const said: [Node, string, string][] = [
  [ben, 'everyone', 'The first tomatoes are red! 🍅'],
  [cara, 'everyone', 'Already? Mine are still thinking about it.'],
  [ann, 'everyone', 'South wall. I told you so 🙂'],
  [ben, 'everyone', 'Saturday at ten we mend the fence. Bring gloves, and whoever still has the long ladder, bring that too.'],
  [cara, 'everyone', 'I have it. See you there!'],
  [cara, 'Greenhouse', 'Who has the key this week?'],
  [ann, 'Greenhouse', 'I do. It hangs where it always hangs.'],
  [ben, 'Ann', 'Did you get the seeds I left at your door?'],
  [ann, 'Ben', 'Yes, thank you! What are they?'],
  [ben, 'Ann', 'Beans. My grandmother’s. They climb anything: poles, strings, neighbours.'],
  [ben, 'Ann', 'Sow them two by two, thumb deep, when the nights stay above ten degrees.'],
  [ann, 'Ben', 'Then they go in on Sunday. I will send you the first handful.'],
  [ben, 'Ann', 'שלום 👋 and رسالة: right to left stays where it belongs.'],
];
for (const [who, to, text] of said) {
  await until(() => who.hexode('send', to, text).then(() => true, () => false), `${text} is sent`);
  await until(async () => JSON.stringify(await ann.hexode('conversations')).includes(text.slice(0, 20)), `${text} arrives`);
}
const devices = await ann.hexode<{ id: string; member_name: string; this: boolean }[]>('devices');
for (const device of devices) if (device.member_name === 'Ben') await ann.hexode('verify', 'Ben', '--yes').catch(() => {});

const browser = await browse();
const looks = [
  { name: 'wide', viewport: { width: 1280, height: 800 }, colorScheme: 'light' },
  { name: 'wide-dark', viewport: { width: 1280, height: 800 }, colorScheme: 'dark' },
  { name: 'narrow', viewport: { width: 390, height: 800 }, colorScheme: 'light' },
  { name: 'narrow-dark', viewport: { width: 390, height: 800 }, colorScheme: 'dark' },
] as const;
const only = process.argv[2];

for (const { name, ...look } of looks) {
  const person = await Person.at(browser, ann, look);
  const { page } = person;
  const shot = async (screen: string) => {
    if (only && !screen.includes(only)) return;
    await page.waitForTimeout(250);
    await page.screenshot({ path: `${folder}/${screen}-${name}.png`, animations: 'disabled' });
  };
  await person.open();
  await page.getByRole('link', { name: /Ben/ }).first().waitFor();
  await shot('conversations');
  await page.goto(`${ann.page}#/-/talk`);
  await page.getByRole('link', { name: /Ben/ }).first().click();
  await page.getByText('grandmother').waitFor();
  await shot('direct');
  await page.goBack();
  await page.getByRole('link', { name: /Everyone/ }).click();
  await page.getByText('long ladder').waitFor();
  await shot('everyone');
  for (const screen of ['map', 'members', 'invite', 'settings', 'group', 'add']) {
    await page.goto(`${ann.page}#/-/${screen}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    if (screen === 'map') await page.getByRole('table').first().waitFor();
    if (screen === 'invite') await page.getByRole('button', { name: 'Show' }).first().click();
    await shot(screen);
    if (screen === 'map') {
      await page.getByRole('table').first().scrollIntoViewIfNeeded();
      await shot('map-tables');
    }
    if (screen === 'members') {
      await page.getByRole('button', { name: 'Verify' }).first().click();
      await page.getByRole('dialog').getByRole('listitem').first().waitFor();
      await shot('verify');
    }
  }
  await person.leave();

  const stranger = await Person.at(browser, fresh, look);
  await stranger.page.goto(fresh.page);
  await stranger.page.getByRole('heading', { level: 1 }).waitFor();
  await stranger.page.screenshot({ path: `${folder}/closed-${name}.png` });
  await stranger.open();
  await stranger.page.getByLabel('Invitation link').waitFor();
  await stranger.page.screenshot({ path: `${folder}/fresh-${name}.png` });
  await stranger.leave();
}
await ann.hexode('lock');
for (const { name, ...look } of looks) {
  const person = await Person.at(browser, ann, look);
  await person.page.goto(ann.page);
  await person.page.getByLabel('Passphrase').waitFor();
  await person.page.screenshot({ path: `${folder}/locked-${name}.png` });
  await person.leave();
}
await browser.close();
await Promise.all([ann, ben, cara, phone, fresh].map((node) => node.end()));
