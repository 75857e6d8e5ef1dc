// What is loaded of one conversation, in blocks: only those near the screen are drawn.

import type { File, Message } from '../api/generated';

/** Messages that are drawn, or left out, together. */
export interface Block {
  readonly key: number;
  messages: Message[];
}

/** How many messages a block is made with, and how many it may grow to. */
const MADE = 40;
const FULL = 60;

/** A conversation's order: Lamport time, then author, then place in his chain; the same on every device. */
export function compare(a: Message, b: Message): number {
  if (a.lamport !== b.lamport) return a.lamport - b.lamport;
  if (a.author !== b.author) return a.author < b.author ? -1 : 1;
  return a.seq - b.seq;
}

/**
 * The loaded end of a conversation.
 *
 * Whatever changes makes new arrays where something changed and keeps the others, so that a view can tell by identity.
 */
export class Timeline {
  blocks: Block[] = [];
  /** Whether there are older messages than those loaded. */
  more = true;
  private key = 0;
  private readonly at = new Map<string, Block>();
  private readonly shared = new Map<string, string>();

  get size(): number {
    return this.at.size;
  }

  get first(): Message | undefined {
    return this.blocks[0]?.messages[0];
  }

  get last(): Message | undefined {
    return this.blocks.at(-1)?.messages.at(-1);
  }

  has(id: string): boolean {
    return this.at.has(id);
  }

  /** Takes in a page that was read before the first message, or at the end. Returns how many were new. */
  take(messages: readonly Message[], more?: boolean): number {
    const fresh: Message[] = [];
    for (const message of messages) {
      if (this.at.has(message.id)) this.replace(message);
      else fresh.push(this.slim(message));
    }
    const first = this.first;
    const older = first ? fresh.filter((message) => compare(message, first) < 0) : fresh;
    const rest = first ? fresh.filter((message) => compare(message, first) >= 0) : [];
    this.prepend(older.sort(compare));
    for (const message of rest.sort(compare)) this.insert(message);
    if (more !== undefined) this.more = more;
    return fresh.length;
  }

  /** Takes in a message that was written or came; `false` if it only replaced one that is there. */
  add(message: Message): boolean {
    if (this.at.has(message.id)) {
      this.replace(message);
      return false;
    }
    const slim = this.slim(message);
    const first = this.first;
    if (first && compare(slim, first) < 0) {
      // Older than what is loaded: it comes with its page, unless everything is loaded.
      if (this.more) return false;
      this.prepend([slim]);
    } else this.insert(slim);
    return true;
  }

  /** Takes in what became of a message; `false` if it is not loaded. */
  renew(message: Message): boolean {
    if (!this.at.has(message.id)) return false;
    this.replace(message);
    return true;
  }

  /** Takes in how a file stands that a message offers; `false` if that is not loaded. */
  renewFile(file: File): boolean {
    const message = this.at.get(file.message)?.messages.find((one) => one.id === file.message);
    return message ? this.renew({ ...message, file }) : false;
  }

  /** Drops all but the newest messages, so that a conversation left open for days does not grow for ever. */
  trim(keep: number): void {
    let size = this.size;
    while (this.blocks.length > 1 && size - (this.blocks[0]?.messages.length ?? 0) >= keep) {
      const [gone, ...rest] = this.blocks;
      for (const message of gone?.messages ?? []) this.at.delete(message.id);
      size -= gone?.messages.length ?? 0;
      this.blocks = rest;
      this.more = true;
    }
  }

  private prepend(older: Message[]): void {
    const blocks: Block[] = [];
    // Whole blocks from the end, so that a short one stands first.
    for (let end = older.length; end > 0; end -= MADE) {
      blocks.unshift(this.block(older.slice(Math.max(0, end - MADE), end)));
    }
    if (blocks.length) this.blocks = [...blocks, ...this.blocks];
  }

  private insert(message: Message): void {
    let index = this.blocks.length - 1;
    while (index > 0 && compare(message, this.blocks[index]!.messages[0]!) < 0) index -= 1;
    const block = this.blocks[index];
    if (!block) {
      this.blocks = [this.block([message])];
      return;
    }
    let place = block.messages.length;
    while (place > 0 && compare(message, block.messages[place - 1]!) < 0) place -= 1;
    if (place === block.messages.length && index === this.blocks.length - 1 && place >= MADE) {
      this.blocks = [...this.blocks, this.block([message])];
      return;
    }
    const messages = spliced(block.messages, place, 0, message);
    const halves =
      messages.length > FULL ? [messages.slice(0, MADE), messages.slice(MADE)] : [messages];
    const blocks = halves.map((half, number) => this.block(half, number ? undefined : block.key));
    this.blocks = spliced(this.blocks, index, 1, ...blocks);
  }

  private replace(message: Message): void {
    const block = this.at.get(message.id);
    const index = block ? this.blocks.indexOf(block) : -1;
    const place = block?.messages.findIndex((known) => known.id === message.id) ?? -1;
    const known = block?.messages[place];
    if (!block || !known || index < 0 || same(known, message)) return;
    const next = this.block(spliced(block.messages, place, 1, this.slim(message)), block.key);
    this.blocks = spliced(this.blocks, index, 1, next);
  }

  private block(messages: Message[], key: number = this.key++): Block {
    const block = { key, messages };
    for (const message of messages) this.at.set(message.id, block);
    return block;
  }

  /** Keeps one copy of what a hundred thousand messages have in common. */
  private slim(message: Message): Message {
    return {
      ...message,
      conversation: this.one(message.conversation),
      author: this.one(message.author),
      member: message.member && this.one(message.member),
      member_name: this.one(message.member_name),
    };
  }

  private one(text: string): string {
    const known = this.shared.get(text);
    if (known !== undefined) return known;
    this.shared.set(text, text);
    return text;
  }
}

/** `splice` on a copy. */
function spliced<T>(array: readonly T[], at: number, count: number, ...items: T[]): T[] {
  return [...array.slice(0, at), ...items, ...array.slice(at + count)];
}

function same(a: Message, b: Message): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Whether a message continues the one before: same author, soon after. */
export function continues(before: Message | undefined, message: Message): boolean {
  return (
    before !== undefined &&
    before.member === message.member &&
    before.author === message.author &&
    Math.abs(message.claimed_ms - before.claimed_ms) < 5 * 60_000
  );
}
