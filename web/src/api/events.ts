// One tab listens for all: a browser opens only a handful of connections to one address, and a stream holds one.

import { believe, known, listen } from './client';
import type { Event } from './generated';

/**
 * What the pages of one browser tell each other. What comes from the node bears its mark: when it has ended, whoever listens at its
 * port can show pages at its address, too.
 */
type Word = { event: Event; mark: string | null } | { stands: 'up' | 'down' | 'over'; mark: string | null } | { ask: true };

export interface Ear {
  event(event: Event): void;
  /** The stream stands, maybe after a gap: what is shown has to be read again. */
  up(): void;
  down(): void;
  /** The node will not have us listen (any more). */
  over(): void;
}

/** Hears what happens in the node, through whichever tab holds the stream, until the returned function is called. */
export function hear(ear: Ear): () => void {
  const channel = new BroadcastChannel('hexode-events');
  const end = new AbortController();
  let leave = () => {};
  let stands: 'up' | 'down' | 'over' = 'down';

  const take = (word: Word) => {
    if ('event' in word) ear.event(word.event);
    else if ('stands' in word) {
      if (word.stands === 'up') ear.up();
      else if (word.stands === 'down') ear.down();
      else ear.over();
    }
  };
  const tell = (word: Word) => {
    channel.postMessage(word);
    take(word);
  };
  const overhear = (word: Exclude<Word, { ask: true }>) => {
    const up = 'stands' in word && word.stands === 'up';
    // That the stream is down may be anybody's word: it costs a question.
    if ((up || 'event' in word) && (word.mark === null || word.mark !== known())) return;
    if ('stands' in word) believe(up);
    take(word);
  };
  let leads = false;
  // Not to whoever came when the node had gone.
  const told = () => (stands === 'up' ? known() : null);
  channel.onmessage = ({ data }: MessageEvent<Word>) => {
    if (!('ask' in data)) overhear(data);
    else if (leads) channel.postMessage({ stands, mark: told() } satisfies Word);
  };
  channel.postMessage({ ask: true } satisfies Word);

  const held = navigator.locks.request('hexode-events', { signal: end.signal }, () => {
    leads = true;
    const now = (next: typeof stands) => {
      stands = next;
      tell({ stands, mark: told() });
    };
    const close = listen(
      (event) => tell({ event, mark: told() }),
      () => now('up'),
      (forGood) => now(forGood ? 'over' : 'down'),
    );
    return new Promise<void>((resolve) => {
      leave = () => {
        close();
        resolve();
      };
    });
  });
  // That it is called off while it waits for its turn is as it should be.
  held.catch(() => {});

  return () => {
    end.abort();
    leave();
    channel.close();
  };
}
