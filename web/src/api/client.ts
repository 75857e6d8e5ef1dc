// The one way to the node: typed calls, and the stream of what happens.

import type { Calls } from './calls';
import type { ApiError, ErrorKind, Event } from './generated';

/** How calls travel; the fake node puts itself in the place of the real one here. */
export interface Transport {
  fetch(method: string, address: string, body: string | undefined): Promise<{ status: number; text: string }>;
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
    return { status: response.status, text: await response.text() };
  },
  listen(event, up, down) {
    const source = new EventSource('/v1/events');
    source.onopen = up;
    source.onmessage = (message) => event(JSON.parse(message.data as string) as Event);
    source.onerror = () => down(source.readyState === EventSource.CLOSED);
    return () => source.close();
  },
};

export function setTransport(other: Transport): void {
  transport = other;
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

  let answer: { status: number; text: string };
  try {
    answer = await transport.fetch(method, address, body === undefined ? undefined : JSON.stringify(body));
  } catch {
    throw new Refused('unreachable', 'the node does not answer', 'is it still running?');
  }
  if (answer.status >= 200 && answer.status < 300) {
    return (answer.text ? JSON.parse(answer.text) : undefined) as Calls[K]['answer'];
  }
  throw refusal(answer);
}

export function listen(...to: Parameters<Transport['listen']>): () => void {
  return transport.listen(...to);
}

function refusal(answer: { status: number; text: string }): Refused {
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
