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
  fetch(method: string, address: string, body: string | undefined): Promise<Answer>;
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

type Given<K extends keyof Calls> = (unknown extends Calls[K]['path'] ? { path?: undefined } : { path: Calls[K]['path'] }) &
  (unknown extends Calls[K]['query'] ? { query?: undefined } : { query?: Calls[K]['query'] }) &
  (undefined extends Calls[K]['body'] ? { body?: undefined } : { body: Calls[K]['body'] });

type Arguments<K extends keyof Calls> = object extends Given<K> ? [given?: Given<K>] : [given: Given<K>];

let transport: Transport = {
  async fetch(method, address, body) {
    const headers: HeadersInit = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(address, { method, headers, body: body ?? null, cache: 'no-store', redirect: 'error' });
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
/** Whether that node was there a moment ago: the stream of its events stands. */
let stands = false;
let sure = false;

export function setTransport(other: Transport): void {
  transport = other;
  mark = null;
  stands = sure = false;
}

/** Makes sure that it is our node to which something is told: when it ends, anybody may listen at its port. */
async function check(): Promise<void> {
  if (!sure) await ask('GET /v1/vault');
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

  if (method !== 'GET') await check();
  let answer: Answer;
  try {
    answer = await transport.fetch(method, address, body === undefined ? undefined : JSON.stringify(body));
  } catch {
    sure = false;
    throw new Refused('unreachable', 'the node does not answer', 'is it still running?');
  }
  mark ??= answer.mark;
  if (answer.mark !== mark) {
    sure = false;
    throw new Refused('no-session', 'another program answers in the place of your node', 'run "hexode open"');
  }
  sure = stands;
  if (answer.status >= 200 && answer.status < 300) {
    return (answer.text ? JSON.parse(answer.text) : undefined) as Calls[K]['answer'];
  }
  throw refusal(answer);
}

export function listen(event: (event: Event) => void, up: () => void, down: (forGood: boolean) => void): () => void {
  return transport.listen(
    event,
    () => {
      stands = true;
      up();
    },
    (forGood) => {
      stands = sure = false;
      down(forGood);
    },
  );
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
