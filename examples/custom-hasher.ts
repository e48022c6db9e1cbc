/**
 * A placement of one's own: keys that share a tag in braces, such as `{tenant-7}:cart` and `{tenant-7}:profile`, live on
 * the same server, so that one round trip fetches them together.
 *
 * A `Hasher` is three methods; this one chooses the text to place by and leaves the placing to `RendezvousHash`. A
 * `HashClient` takes it as its `hasher` option.
 */
import { RendezvousHash } from 'tsmemcache';
import type { Hasher } from 'tsmemcache';

export class TagHasher implements Hasher {
  readonly #inner = new RendezvousHash();

  addNode(name: string, weight?: number): void {
    this.#inner.addNode(name, weight);
  }

  removeNode(name: string): void {
    this.#inner.removeNode(name);
  }

  getNode(key: string): string | undefined {
    const tag = /\{(.+?)\}/.exec(key)?.[1];
    return this.#inner.getNode(tag ?? key);
  }
}

export function main(print: (line: string) => void = console.log): void {
  const hasher = new TagHasher();
  for (const name of ['10.0.0.1:11211', '10.0.0.2:11211', '10.0.0.3:11211']) hasher.addNode(name);
  for (const key of ['{tenant-7}:cart', '{tenant-7}:profile', '{tenant-8}:cart', 'motd']) {
    print(`${key} -> ${hasher.getNode(key)}`);
  }
}

if (process.argv[1]?.endsWith('custom-hasher.ts')) main();
