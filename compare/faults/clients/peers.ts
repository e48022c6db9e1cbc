import { inspect } from 'node:util';
import { MAX_VALUE_SIZE, TIMEOUT, type Adapter, type Contestant } from './adapter';

/* eslint-disable @typescript-eslint/no-require-imports -- the peers have no types, or types for another module system; each is loaded only in its own process */

type Callback = (error: unknown, result?: unknown) => void;

/** What a callback is told, whatever it is that a client calls an error. */
function promise(call: (callback: Callback) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error === null || error === undefined) resolve(result);
      else reject(error instanceof Error ? error : new Error(inspect(error)));
    });
  });
}

/** Errors told as events are heard, as the manuals advise, so that none of them ends the process. */
interface Emitter {
  on(event: string, listener: () => void): unknown;
}

function listen(client: Emitter, ...events: string[]): void {
  for (const event of events) client.on(event, () => undefined);
}

interface Memcached extends Emitter {
  get(key: string, callback: Callback): void;
  set(key: string, value: string, lifetime: number, callback: Callback): void;
  end(): void;
}

export const memcached: Contestant = {
  name: 'memcached',
  protocol: 'text',
  make: (port): Adapter => {
    const Class = require('memcached') as new (server: string, options: object) => Memcached;
    const client = new Class(`127.0.0.1:${port}`, { timeout: TIMEOUT, maxValue: MAX_VALUE_SIZE });
    listen(client, 'issue', 'failure', 'reconnecting', 'reconnect', 'remove');
    return {
      get: (key) => promise((done) => { client.get(key, done); }),
      set: (key, value, seconds) => promise((done) => { client.set(key, value, seconds, done); }),
      close: () => { client.end(); },
    };
  },
};

interface Memjs {
  get(key: string): Promise<{ value: Buffer | null }>;
  set(key: string, value: string, options: object): Promise<boolean>;
  close(): void;
}

export const memjs: Contestant = {
  name: 'memjs',
  protocol: 'binary',
  make: (port): Adapter => {
    const { Client } = require('memjs') as { Client: { create(servers: string, options: object): Memjs } };
    const logger = { log: () => undefined };
    const client = Client.create(`127.0.0.1:${port}`, { timeout: TIMEOUT / 1000, conntimeout: TIMEOUT / 1000, logger });
    return {
      get: async (key) => (await client.get(key)).value?.toString(),
      set: (key, value, seconds) => client.set(key, value, { expires: seconds }),
      close: () => { client.close(); },
    };
  },
};

interface MemcacheClient extends Emitter {
  get(key: string): Promise<{ value: unknown } | undefined>;
  set(key: string, value: string, options?: object): Promise<unknown>;
  shutdown(): void;
}

export const memcacheClient: Contestant = {
  name: 'memcache-client',
  protocol: 'text',
  hasNoreply: true,
  make: (port): Adapter => {
    const { MemcacheClient: Class } = require('memcache-client') as { MemcacheClient: new (options: object) => MemcacheClient };
    const client = new Class({ server: `127.0.0.1:${port}`, cmdTimeout: TIMEOUT, connectTimeout: TIMEOUT });
    listen(client, 'error');
    return {
      get: async (key) => (await client.get(key))?.value,
      set: (key, value, seconds) => client.set(key, value, { lifetime: seconds }),
      setNoreply: (key, value) => client.set(key, value, { noreply: true }),
      close: () => { client.shutdown(); },
    };
  },
};

interface Memcache extends Emitter {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, lifetime: number): Promise<boolean>;
  disconnect(): Promise<void>;
}

export const memcache: Contestant = {
  name: 'memcache',
  protocol: 'text',
  make: async (port): Promise<Adapter> => {
    const { Memcache: Class } = (await import('memcache')) as { Memcache: new (options: object) => Memcache };
    const client = new Class({ nodes: [`127.0.0.1:${port}`], timeout: TIMEOUT, maxValueSize: MAX_VALUE_SIZE });
    listen(client, 'error');
    return {
      get: (key) => client.get(key),
      set: (key, value, seconds) => client.set(key, value, seconds),
      close: () => client.disconnect(),
    };
  },
};
