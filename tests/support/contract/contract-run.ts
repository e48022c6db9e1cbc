import type { Client, ClientOptions } from '../../../src';

/** What the contract needs of whoever is held to it. */
export interface Subject {
  /** Makes a client of the same kind over the same servers. */
  client<Out, In>(options: ClientOptions<Out, In>): Client<Out, In>;
  /** Ends the servers. */
  stop(): Promise<void>;
}

/** How a kind of client differs from the others where it may. */
export interface ContractTraits {
  /** How many servers `version` and the like reach. @default 1 */
  readonly servers?: number;
  /** Whether one call sees what an earlier one did with `noreply`: not so over several connections. @default true */
  readonly seesNoreply?: boolean;
  /** The version of the servers, where they may be old. What they lack is skipped. @default the newest */
  readonly version?: string | undefined;
}

/** The first versions of memcached that have them. */
export const GAT = '1.5.3';
export const META = '1.6.0';

// Typed, unlike what jest gives.
export const aNumber: unknown = expect.any(Number);
export const text: unknown = expect.any(String);
export const MEBIBYTE = 1024 * 1024;
export const DAY = 24 * 60 * 60;

/** One kind of client over one kind of server, held to the contract: what the tests of all groups work with. */
export class ContractRun {
  readonly servers: number;
  readonly seesNoreply: boolean;
  readonly hasMeta: boolean;
  readonly #version: string | undefined;
  #started: { readonly subject: Subject; readonly client: Client } | undefined;
  #keys = 0;

  constructor({ servers = 1, seesNoreply = true, version }: ContractTraits) {
    this.servers = servers;
    this.seesNoreply = seesNoreply;
    this.#version = version;
    this.hasMeta = !this.#lacks(META);
  }

  get subject(): Subject {
    return this.#running.subject;
  }

  /** The client that all tests share. */
  get client(): Client {
    return this.#running.client;
  }

  begin(subject: Subject): void {
    this.#started = { subject, client: subject.client({ timeout: 5000 }) };
  }

  async end(): Promise<void> {
    await this.client.close();
    await this.subject.stop();
  }

  /** A key that no other test uses. */
  readonly fresh = (): string => `key-${++this.#keys}`;

  /** `it`, skipped by name and with the reason where the servers are older. */
  readonly itSince = (needed: string, name: string, test: () => Promise<void>): void => {
    if (this.#lacks(needed)) it.skip(`${name} (needs memcached ${needed}, this is ${this.#version ?? ''})`, test);
    else it(name, test);
  };

  /** Another client of the same kind, for one test. */
  readonly withOptions = async <Out, In>(options: ClientOptions<Out, In>, test: (client: Client<Out, In>) => Promise<void>): Promise<void> => {
    const other = this.subject.client({ timeout: 5000, ...options });
    try {
      await test(other);
    } finally {
      await other.close();
    }
  };

  /** Old servers do not tell how long an item has to live. */
  readonly expectTtl = async (key: string, least: number, most = Infinity): Promise<void> => {
    if (!this.hasMeta) return;
    const item = await this.client.metaGet(key, { value: false, ttl: true });
    expect(item?.ttl).toBeGreaterThanOrEqual(least);
    expect(item?.ttl).toBeLessThanOrEqual(most);
  };

  get #running(): { readonly subject: Subject; readonly client: Client } {
    if (this.#started === undefined) throw new Error('used before the tests have begun');
    return this.#started;
  }

  #lacks(needed: string): boolean {
    return this.#version !== undefined && this.#version.localeCompare(needed, 'en', { numeric: true }) < 0;
  }
}
