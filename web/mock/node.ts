// A node that lives in the page: for work on the page without a circle, and for tests of what is hard to bring about with
// real ones. It speaks the types that are generated from the real one's description, so it cannot fall behind unnoticed.

import type { Calls } from '../src/api/calls';
import type { ApiError, Circle, Conversation, Delivery, Device, Event, Member, Message, Tunnel } from '../src/api/generated';
import type { Answer, Transport } from '../src/api/client';

type Handler<K extends keyof Calls> = (given: {
  path: Calls[K]['path'];
  query: Record<string, string>;
  body: Calls[K]['body'];
}) => Calls[K]['answer'];
type Handlers = { [K in keyof Calls]?: Handler<K> };

/** What makes the fake node refuse: names that ask for it. */
export const SENTINELS: Record<string, ApiError> = {
  'disk full': { kind: 'config', message: 'the disk is full', hint: 'free some space and try again; nothing that was stored is lost' },
  'not allowed': { kind: 'not-allowed', message: 'your role does not include that' },
};

const id = (seed: string) => (seed.toLowerCase().replace(/[^a-z2-7]/g, '') + 'a'.repeat(52)).slice(0, 52);
const EVERYONE = id('conversation-everyone');

/** The fake node's state, and what it answers. */
export class FakeNode implements Transport {
  locked = false;
  readonly passphrase = 'seven wet owls sing at noon';
  readonly circle: Circle;
  readonly members: Member[];
  readonly messages = new Map<string, Message[]>();
  readonly conversations: Conversation[];
  private readonly listeners = new Set<(event: Event) => void>();
  private count = 0;

  constructor(private readonly now: () => number = Date.now) {
    const device = (name: string, member: string, more: Partial<Device> = {}): Device => ({
      id: id(`device-${member}-${name}`),
      name,
      member: id(`member-${member}`),
      member_name: member,
      role: 'member',
      this: false,
      since_ms: this.now() - 86_400_000,
      connected: true,
      ...more,
    });
    const member = (name: string, devices: Device[], more: Partial<Member> = {}): Member => ({
      id: id(`member-${name}`),
      name,
      role: 'member',
      me: false,
      devices,
      ...more,
    });
    this.members = [
      member('Ann', [device('laptop', 'Ann', { this: true, role: 'founder' }), device('phone', 'Ann')], { me: true, role: 'founder' }),
      member('Ben', [device('phone', 'Ben', { verified: { at_ms: this.now(), method: 'words' } })]),
      member('Cara', [device('laptop', 'Cara', { connected: false })]),
    ];
    const [ann, ben] = this.members as [Member, Member];
    this.circle = {
      id: id('circle-allotment'),
      name: 'Allotment',
      state: 'member',
      device: ann.devices[0]!.id,
      member: ann.id,
      member_name: 'Ann',
      role: 'founder',
      members: 3,
      devices: 4,
      connected: 2,
      unread: 0,
      roster_digest: 'f'.repeat(64),
      addresses: ['127.0.0.1:4000'],
    };
    const conversation = (id: string, kind: Conversation['kind'], title: string, participants: string[]): Conversation => ({
      id,
      kind,
      title,
      participants,
      messages: 0,
      unread: 0,
      history_digest: '0'.repeat(64),
    });
    this.conversations = [
      conversation(EVERYONE, 'everyone', 'Allotment', this.members.map((one) => one.id)),
      conversation(id('conversation-ben'), 'direct', 'Ben', [ann.id, ben.id]),
    ];
    this.say('Ben', EVERYONE, 'The first tomatoes are red! 🍅');
    this.say('Ann', EVERYONE, 'South wall. I told you so 🙂');
  }

  /** Lets a member write. */
  say(who: string, conversation: string, text: string): Message {
    const member = this.members.find((one) => one.name === who)!;
    const device = member.devices[0]!;
    const at = this.now();
    const delivery: Delivery = { devices: 2, delivered: 1, read: 0 };
    this.count += 1;
    const message: Message = {
      id: id(`m${this.count.toString(26).replace(/\d/g, (digit) => 'klmnopqrst'[Number(digit)] ?? '')}x`),
      conversation,
      author: device.id,
      member: member.id,
      member_name: who,
      mine: member.me,
      seq: this.count,
      lamport: this.count,
      claimed_ms: at,
      stored_ms: at,
      text,
      delivery,
    };
    const all = this.messages.get(conversation) ?? [];
    this.messages.set(conversation, [...all, message]);
    const known = this.conversations.find((one) => one.id === conversation);
    if (known) Object.assign(known, { last: message, messages: known.messages + 1, unread: known.unread + (member.me ? 0 : 1) });
    this.tell({ event: 'message', circle: this.circle.id, message });
    return message;
  }

  tell(event: Event): void {
    for (const listener of this.listeners) listener(event);
  }

  lock(): void {
    this.locked = true;
    this.tell({ event: 'locked' });
  }

  // What the page asks.

  async fetch(method: string, address: string, body: string | undefined): Promise<Answer> {
    return { ...(await this.answer(method, address, body)), mark: 'fake' };
  }

  private async answer(method: string, address: string, body: string | undefined): Promise<Omit<Answer, 'mark'>> {
    const url = new URL(address, 'http://node');
    const given = body === undefined ? undefined : (JSON.parse(body) as unknown);
    const refused = Object.entries(SENTINELS).find(([words]) => body?.includes(words));
    if (refused) return { status: refused[1].kind === 'config' ? 507 : 403, text: JSON.stringify(refused[1]) };
    for (const [call, handler] of Object.entries(this.handlers) as [keyof Calls, Handler<keyof Calls>][]) {
      const [wanted, template = ''] = call.split(' ');
      const names = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
      const found = new RegExp(`^${template.replace(/\{\w+\}/g, '([^/]+)')}$`).exec(url.pathname);
      if (wanted !== method || !found) continue;
      if (this.locked && !/vault|unlock|status/.test(url.pathname)) {
        return { status: 423, text: JSON.stringify({ kind: 'locked', message: 'the node is locked' } satisfies ApiError) };
      }
      const path = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(found[at + 1] ?? '')]));
      try {
        const answer = handler({ path: path as never, query: Object.fromEntries(url.searchParams), body: given as never });
        return { status: 200, text: answer === undefined ? '' : JSON.stringify(answer) };
      } catch (error) {
        return { status: 400, text: JSON.stringify({ kind: 'user', message: (error as Error).message } satisfies ApiError) };
      }
    }
    return { status: 404, text: JSON.stringify({ kind: 'not-found', message: 'the fake node does not do that' } satisfies ApiError) };
  }

  listen(event: (event: Event) => void, up: () => void): () => void {
    this.listeners.add(event);
    queueMicrotask(up);
    return () => this.listeners.delete(event);
  }

  private find(message: string): Message {
    const found = [...this.messages.values()].flat().find((one) => one.id === message);
    if (!found) throw new Error('no such message');
    return found;
  }

  private change(message: string, change: Partial<Message>): Message {
    const changed = { ...this.find(message), ...change };
    const all = this.messages.get(changed.conversation) ?? [];
    this.messages.set(changed.conversation, all.map((one) => (one.id === message ? changed : one)));
    this.tell({ event: 'changed', circle: this.circle.id, message: changed });
    return changed;
  }

  private readonly handlers: Handlers = {
    'GET /v1/vault': () => ({ exists: true, locked: this.locked }),
    'GET /v1/status': () => ({ version: 'fake', locked: this.locked, started_ms: 0, circles: this.locked ? [] : [this.circle] }),
    'POST /v1/unlock': ({ body }) => {
      if (body.passphrase !== this.passphrase) throw new Error('wrong passphrase');
      this.locked = false;
      this.tell({ event: 'unlocked' });
      return undefined;
    },
    'POST /v1/lock': () => this.lock() as undefined,
    'GET /v1/circles': () => [{ ...this.circle, unread: this.conversations.reduce((sum, one) => sum + one.unread, 0) }],
    'GET /v1/circles/{circle}/members': () => this.members,
    'GET /v1/circles/{circle}/conversations': () => this.conversations.map((one) => ({ ...one })),
    'GET /v1/circles/{circle}/conversations/{conversation}': ({ path }) => {
      const found = this.conversations.find((one) => one.id === path.conversation || one.participants.includes(path.conversation));
      if (!found) throw new Error('no such conversation');
      return found;
    },
    'GET /v1/circles/{circle}/conversations/{conversation}/messages': ({ path, query }) => {
      const all = this.messages.get(path.conversation) ?? [];
      const end = query['before'] ? all.findIndex((one) => one.id === query['before']) : all.length;
      const start = Math.max(0, end - Number(query['limit'] ?? 50));
      return { messages: all.slice(start, end), more: start > 0 };
    },
    'POST /v1/circles/{circle}/conversations/{conversation}/read': ({ path }) => {
      for (const one of this.conversations) if (one.id === path.conversation) one.unread = 0;
      return undefined;
    },
    'PUT /v1/circles/{circle}/conversations/{conversation}/draft': () => undefined,
    'POST /v1/circles/{circle}/messages': ({ body }) => this.say('Ann', body.to, body.text),
    'PUT /v1/circles/{circle}/messages/{message}': ({ path, body }) => this.change(path.message, { text: body.text, edited_ms: this.now() }),
    'DELETE /v1/circles/{circle}/messages/{message}': ({ path }) => this.change(path.message, { text: null, absent: 'deleted' }),
    'POST /v1/circles/{circle}/messages/{message}/reply': ({ path, body }) => this.say('Ann', this.find(path.message).conversation, body.text),
    'PUT /v1/circles/{circle}/messages/{message}/reaction': ({ path, body }) =>
      this.change(path.message, { reactions: [{ sign: body.sign, members: [this.circle.member ?? ''], names: ['Ann'], mine: true }] }),
    'DELETE /v1/circles/{circle}/messages/{message}/reaction': ({ path }) => this.change(path.message, { reactions: [] }),
    'GET /v1/circles/{circle}/search': ({ query }) => ({
      messages: [...this.messages.values()].flat().filter((one) => one.text?.toLowerCase().includes((query['words'] ?? '').toLowerCase())),
    }),
    'GET /v1/circles/{circle}/tunnels': () =>
      this.members
        .flatMap((member) => member.devices)
        .filter((device) => !device.this)
        .map((device, at): Tunnel => ({
          device,
          state: device.connected ? 'up' : 'dialling',
          addresses: [`192.0.2.${at + 1}:4000`],
          attempts: device.connected ? 0 : 3,
          path: device.connected
            ? {
                channel: at ? 'internet' : 'lan',
                remote: `192.0.2.${at + 1}:4000`,
                round_trip_us: 800 + at * 21_000,
                key_exchange: 'X25519MLKEM768',
                cipher: 'TLS13_AES_256_GCM_SHA384',
                since_ms: this.now() - 60_000,
                dialled: true,
                received: 12_000,
                sent: 8_000,
              }
            : null,
        })),
    'GET /v1/circles/{circle}/contacts': () => [],
    'GET /v1/circles/{circle}/invitations': () => [],
    'GET /v1/tokens': () => [],
    'GET /v1/selfcheck': () => [{ what: 'fake', holds: true, found: 'nothing here is real' }],
  };
}
