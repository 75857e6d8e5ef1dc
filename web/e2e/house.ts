// Real nodes of the real program, each in a home of its own, and a real browser in front of them.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { chromium, type Browser, type BrowserContext, type BrowserContextOptions, type Page } from 'playwright-core';

const run = promisify(execFile);

/** The program under test; `cargo xtask` names the release build. */
export const program = resolve(process.env['HEXODE'] ?? '../target/debug/hexode');

export const PASSPHRASE = 'seven wet owls sing at noon';

/** A running node. */
export class Node {
  private constructor(
    readonly home: string,
    private process: ChildProcess,
    /** The page's address. */
    public page: string,
  ) {}

  /** Starts a node without a vault, or locked if it has one. */
  static async start(name: string): Promise<Node> {
    const home = await mkdtemp(join(tmpdir(), `hexode-web-${name}-`));
    const { child, page } = await up(home);
    return new Node(home, child, page);
  }

  /** Starts a node with an open vault. */
  static async open(name: string): Promise<Node> {
    const node = await Node.start(name);
    await node.hexode('unlock', '--passphrase-file', await node.secretFile());
    return node;
  }

  private async secretFile(): Promise<string> {
    const { writeFile } = await import('node:fs/promises');
    const path = join(this.home, 'passphrase');
    await writeFile(path, `${PASSPHRASE}\n`, { mode: 0o600 });
    return path;
  }

  /** Runs a command against the node and returns what it answers in JSON. */
  async hexode<T = unknown>(...words: string[]): Promise<T> {
    const { stdout } = await run(program, ['--home', this.home, '--json', ...words], { maxBuffer: 256 << 20 });
    return (stdout.trim() ? JSON.parse(stdout.trim().split('\n').at(-1)!) : undefined) as T;
  }

  /** Makes a link that opens the page once. */
  async link(): Promise<string> {
    return (await this.hexode<{ url: string }>('open')).url;
  }

  /** Kills the node's process, as a loss of power would, and starts it again. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async kill(): Promise<void> {
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }

  async start(): Promise<void> {
    const { child, page } = await up(this.home);
    this.process = child;
    this.page = page;
  }

  async unlock(): Promise<void> {
    await this.hexode('unlock', '--passphrase-file', await this.secretFile());
  }

  async end(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      await ended;
    }
    await rm(this.home, { recursive: true, force: true });
  }
}

async function up(home: string): Promise<{ child: ChildProcess; page: string }> {
  const words = ['--home', home, '--json', 'up', '--locked', '--bind', '127.0.0.1:0', '--no-lan'];
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  // Whatever happens, no node outlives its test.
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  for await (const line of createInterface({ input: child.stdout! })) {
    const said = JSON.parse(line) as { ready?: boolean; page?: string };
    if (said.ready && said.page) return { child, page: said.page };
  }
  throw new Error('the node did not start');
}

/** Debian's own browser; none is downloaded. */
export async function browse(args: string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    // As root, in a container, there is no sandbox to be had. It guards nothing here: every page is our own.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', ...args],
  });
}

/** A person at a browser of his own. */
export class Person {
  /** What went wrong in the page without anybody seeing it. */
  readonly complaints: string[] = [];

  private constructor(
    readonly node: Node,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      // That the node says no is the page's business to show; the browser notes it all the same.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) this.complaints.push(message.text());
    });
  }

  static async at(browser: Browser, node: Node, options: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
    context.setDefaultTimeout(15_000);
    return new Person(node, context, await context.newPage());
  }

  /** Follows a fresh link. */
  async open(): Promise<void> {
    await this.page.goto(await this.node.link());
  }

  async leave(): Promise<void> {
    await this.context.close();
  }
}

/** Asks again and again, at every turn of events, until something is so. */
export async function until<T>(look: () => Promise<T | undefined | false>, what: string): Promise<T> {
  const end = Date.now() + 20_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`it did not come about: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Founds a circle on one node and lets the other in, by the command line. */
export async function befriend(ann: Node, ben: Node): Promise<{ id: string }> {
  const circle = await ann.hexode<{ id: string }>('found', 'Allotment', '--as', 'Ann', '--device', 'laptop');
  await until(async () => (await ann.hexode<{ addresses: string[] }[]>('circles'))[0]?.addresses.length, 'an address');
  const { link } = await ann.hexode<{ link: string }>('invite');
  await ben.hexode('join', link, '--as', 'Ben', '--device', 'phone');
  return circle;
}
