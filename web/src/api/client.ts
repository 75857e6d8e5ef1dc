// The one way to the node: typed calls, and the stream of what happens.

import type { Calls } from './calls';
import type { ApiError, ErrorKind, Event } from './generated';

export interface Answer {
  status: number;
  text: string;
  /** By what the node is known: the same in all its answers, and told to nobody else. */
  mark: string | null;
}

/** How calls travel; the fake node puts itself in the place of the real one here. */
export interface Transport {
  /** Fails if there is no answer for so many milliseconds. */
  fetch(method: string, address: string, body: string | undefined, patience: number): Promise<Answer>;
  /** Listens; `up` is called whenever the stream stands (again), `down` when it broke. */
  listen(event: (event: Event) => void, up: () => void, down: (forGood: boolean) => void): () => void;
}

/** The node said no, or did not answer. */
export class Refused extends Error {
  constructor(
    readonly kind: ErrorKind | 'unreachable' | 'no-session',
    message: string,
    readonly hint: string = '',
  ) {
    super(message);
  }
}

/** Whoever answers is not our node. */
class Stranger extends Refused {}

type Given<K extends keyof Calls> = (unknown extends Calls[K]['path'] ? { path?: undefined } : { path: Calls[K]['path'] }) &
  (unknown extends Calls[K]['query'] ? { query?: undefined } : { query?: Calls[K]['query'] }) &
  (undefined extends Calls[K]['body'] ? { body?: undefined } : { body: Calls[K]['body'] });

type Arguments<K extends keyof Calls> = object extends Given<K> ? [given?: Given<K>] : [given: Given<K>];

let transport: Transport = {
  async fetch(method, address, body, patience) {
    const headers: HeadersInit = body === undefined ? {} : { 'content-type': 'application/json' };
    const signal = AbortSignal.timeout(patience);
    const response = await fetch(address, { method, headers, body: body ?? null, cache: 'no-store', redirect: 'error', signal });
    return { status: response.status, text: await response.text(), mark: response.headers.get('hexode-mark') };
  },
  listen(event, up, down) {
    const source = new EventSource('/v1/events');
    source.onopen = up;
    source.onmessage = (message) => event(JSON.parse(message.data as string) as Event);
    source.onerror = () => down(source.readyState === EventSource.CLOSED);
    return () => source.close();
  },
};

/** The mark of the node from which this page came. */
let mark: string | null = null;
/** Whether that node is there: the stream of its events stands, here or in another tab of this browser. */
let stands = false;
/** Whether it was there a moment ago. */
let sure = false;
let checking: Promise<unknown> | null = null;

/** How long a node takes to answer at most, and how long to a question that costs it nothing, in milliseconds. */
const ANSWERS = 130_000;
const LOOKS = 5_000;

export function setTransport(other: Transport): void {
  transport = other;
  mark = null;
  stands = sure = false;
  checking = null;
}

/**
 * Makes sure that it is our node to which something is told: when it ends, anybody may listen at its port. What is looked for, and in
 * which conversation, stands in an address.
 */
async function check(): Promise<void> {
  if (sure) return;
  checking ??= ask('GET /v1/vault').finally(() => (checking = null));
  await checking;
}

/** Returns by what the node is known to this page. */
export function known(): string | null {
  return mark;
}

/** Takes another tab's word that the stream of the node's events stands, or does not. */
export function believe(standing: boolean): void {
  stands = standing;
  sure &&= standing;
}

/** Asks the node for something; throws a `Refused` if it will not or cannot. */
export async function ask<K extends keyof Calls>(call: K, ...[given]: Arguments<K>): Promise<Calls[K]['answer']> {
  const { path, query, body } = (given ?? {}) as {
    path?: Record<string, string>;
    query?: Record<string, string | number | boolean | undefined>;
    body?: unknown;
  };
  const [method = '', template = ''] = call.split(' ');
  let address = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(path?.[name] ?? ''));
  const asked = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  if (asked.length) address += '?' + new URLSearchParams(asked.map(([name, value]) => [name, String(value)])).toString();

  const looks = call === 'GET /v1/vault';
  if (!looks) await check();
  let answer: Answer;
  try {
    answer = await transport.fetch(method, address, body === undefined ? undefined : JSON.stringify(body), looks ? LOOKS : ANSWERS);
  } catch {
    sure = false;
    throw new Refused('unreachable', 'the node does not answer', 'is it still running?');
  }
  mark ??= answer.mark;
  if (answer.mark !== mark) {
    sure = false;
    throw new Stranger('no-session', 'another program answers in the place of your node', 'run "hexode open"');
  }
  sure = stands;
  if (answer.status >= 200 && answer.status < 300) {
    return (answer.text ? JSON.parse(answer.text) : undefined) as Calls[K]['answer'];
  }
  throw refusal(answer);
}

export function listen(event: (event: Event) => void, up: () => void, down: (forGood: boolean) => void): () => void {
  // Whoever listens at the port can open a stream: it is our node's once that has answered for it.
  let ours = false;
  let opened = 0;
  stands = sure = false;
  const close = transport.listen(
    (heard) => {
      if (ours) event(heard);
    },
    () => {
      const now = ++opened;
      ours = stands = sure = false;
      const found = (error?: unknown) => {
        if (now !== opened || (error instanceof Refused && error.kind === 'unreachable')) return;
        if (error instanceof Stranger) return down(true);
        ours = stands = sure = true;
        up();
      };
      void ask('GET /v1/vault').then(() => found(), found);
    },
    (forGood) => {
      opened += 1;
      ours = stands = sure = false;
      down(forGood);
    },
  );
  return () => {
    opened += 1;
    ours = stands = sure = false;
    close();
  };
}

function refusal(answer: Answer): Refused {
  let error: Partial<ApiError> = {};
  try {
    error = JSON.parse(answer.text) as ApiError;
  } catch {
    // Not from a node, or cut short: the status has to do.
  }
  const message = error.message ?? `status ${answer.status}`;
  // 421: a node that was started anew is at another address, and this page is nobody there.
  return new Refused(answer.status === 401 || answer.status === 421 ? 'no-session' : (error.kind ?? 'internal'), message, error.hint ?? '');
}
