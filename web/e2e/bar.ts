// Measures one promise of the page that has a figure; the last line is the verdict. `cargo xtask bar web-…` runs it.

import { readdir, readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';

export interface Verdict {
  figure: string;
  holds: boolean;
}

const bars: Record<string, () => Promise<Verdict>> = { 'web-bundle': bundle };

async function bundle(): Promise<Verdict> {
  let sum = 0;
  for (const name of (await readdir('dist')).sort()) {
    const size = gzipSync(await readFile(`dist/${name}`), { level: 9 }).length;
    console.log(`${name}: ${size} B`);
    sum += size;
  }
  return { figure: `${(sum / 1024).toFixed(1)} KiB`, holds: sum <= 120 * 1024 };
}

const name = process.argv.at(-1) ?? '';
const bar = bars[name];
if (!bar) throw new Error(`there is no bar "${name}"`);
console.log(JSON.stringify(await bar()));
