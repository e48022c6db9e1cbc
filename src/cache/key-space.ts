/**
 * The keys of a cache on the server, each after the client's prefix:
 *
 *     <key>                              an entry
 *     <namespace>:<version>:<key>        an entry, with the option `namespace`
 *     <namespace>:version                the counter that tells the version of the namespace
 *     <namespace>:tag:<name>             the counter that tells the version of a tag
 *     ~tag:<name>                        the same without a namespace; no entry is called so
 *     <key of its entry>:<id>:<number>   a piece of a value; see `exchange/chunks.ts`
 */
import { MemcacheIllegalInputError } from '../errors';
import { isBytes } from '../protocol/bytes';
import { encodeKey, type Key, type KeyPart, type KeyRules } from '../protocol/key';
import { MAX_KEY_LENGTH } from '../protocol/limits';
import type { Place } from './exchange/leases';

/** Names the counter of the namespace among those of tags; no tag may have this name. */
export const NAMESPACE_COUNTER = ' ';

/** No version is longer: they are numbers below 2^53, in base 36. */
const LONGEST_VERSION = 'z'.repeat(11);
/** What the counters of tags begin with where there is no namespace. Callers' own keys, such as `tag:news`, must not be among them. */
const TAG_START = '~tag:';
/** Where the server does not tell the version: such a key is never sent. */
const NO_VERSION = '-';

/** How entries are called with one version of the namespace. */
export interface VersionRules extends KeyRules {
  /** Whether that cannot be had. */
  readonly unknown: boolean;
}

/** Which keys a cache has, and how they are made. */
export class KeySpace {
  readonly #rules: KeyRules;
  readonly #namespace: string | undefined;
  /** How entries are called with the longest version that there may be. */
  readonly #longest: KeyRules;

  /**
   * @param rules those of the client
   * @param namespace the option of the cache
   */
  constructor(rules: KeyRules, namespace: string | undefined) {
    this.#rules = rules;
    this.#namespace = namespace;
    this.#longest = this.#rulesOf(LONGEST_VERSION);
  }

  /** Whether the keys of entries have a version, which must be known before they can be made. */
  get isVersioned(): boolean {
    return this.#namespace !== undefined;
  }

  /**
   * The rules for entries.
   *
   * @param version of the namespace, in decimal; undefined when it cannot be had
   */
  ofVersion(version: string | undefined): VersionRules {
    const unknown = version === undefined;
    return { ...this.#rulesOf(unknown ? NO_VERSION : BigInt(version).toString(36)), unknown };
  }

  /**
   * An entry, as it is called without a namespace. Bytes are copied: the caller may use them for another key before this one is
   * written, and by them a cluster finds the server.
   *
   * @throws MemcacheIllegalInputError also for a key that is not legal with every version that there may be, and for that of a counter
   */
  entry(key: Key): Place {
    if (this.isVersioned) encodeKey(key, this.#longest);
    const place = this.#plain(key);
    if (!this.isVersioned && place.wireKey.startsWith(TAG_START, this.#rules.prefix.length)) {
      throw new MemcacheIllegalInputError(`key must not begin with "${TAG_START}", as those of tags do`);
    }
    return place;
  }

  /** The same entry by the rules of a version of the namespace, if there is one. @throws MemcacheIllegalInputError */
  within(target: Place, rules: VersionRules | undefined): Place {
    return rules === undefined ? target : { key: target.key, wireKey: encodeKey(target.key, rules), unknown: rules.unknown };
  }

  /** The counter of the tag `name`, or of the namespace. */
  counter(name: string): Place {
    return this.#plain(name === NAMESPACE_COUNTER ? `${this.#namespace ?? ''}:version` : this.#tagStart + name);
  }

  /** @throws MemcacheIllegalInputError for a tag whose counter would have too long a key */
  checkTags(names: readonly string[]): void {
    const most = Math.max(0, MAX_KEY_LENGTH - this.#rules.prefix.length - this.#tagStart.length);
    for (const { length } of names) {
      if (length > most) throw new MemcacheIllegalInputError(`a tag must be at most ${most} characters long here, as its key has the prefix and the namespace too; this one has ${length}`);
    }
  }

  get #tagStart(): string {
    return this.#namespace === undefined ? TAG_START : `${this.#namespace}:tag:`;
  }

  #plain(key: Key): Place {
    const wireKey = encodeKey(key, this.#rules);
    return { key: typeof key === 'string' ? key : copyOf(key), wireKey };
  }

  #rulesOf(version: string): KeyRules {
    return { ...this.#rules, prefix: `${this.#rules.prefix}${this.#namespace ?? ''}:${version}:` };
  }
}

/** The keys of the pieces that the value of an entry is cut into. */
export function pieceKeys({ wireKey }: Place, id: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${wireKey}:${id}:${i}`);
}

function copyOf(key: Exclude<Key, string>): Key {
  return isBytes(key) ? Buffer.from(key) : [copyOfPart(key[0]), copyOfPart(key[1])];
}

function copyOfPart(part: KeyPart): KeyPart {
  return typeof part === 'string' ? part : Buffer.from(part);
}
