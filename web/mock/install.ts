import { setTransport } from '../src/api/client';
import { FakeNode } from './node';

/** Puts the fake node in the place of the real one; `node` in the console is it. */
export function install(): void {
  const node = new FakeNode();
  Object.assign(window, { node });
  setTransport(node);
}
