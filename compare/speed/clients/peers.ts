import { deflateSync, inflateSync } from 'node:zlib';
import { addressesOf, type Adapter, type MakeAdapter, type Site } from './adapter';

/* eslint-disable @typescript-eslint/no-require-imports -- the peers have no types, or types for another module system; each is loaded only in its own process */

type Callback = (error: unknown, result?: unknown) => void;

function promise(call: (callback: Callback) => void): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call((error, result) => {
      if (error === null || error === undefined) resolve(result);
      else reject(error instanceof Error ? error : new Error('the client failed'));
    });
  });
}

interface Memcached {
  get(key: string, callback: Callback): void;
  set(key: string, value: unknown, lifetime: number, callback: Callback): void;
  del(key: string, callback: Callback): void;
  getMulti(keys: string[], callback: Callback): void;
  end(): void;
}

export const makeMemcached: MakeAdapter = (site) => {
  const Class = require('memcached') as new (servers: string[], options: object) => Memcached;
  const client = new Class(addressesOf(site), { maxValue: 2 ** 21 });
  return {
    get: (key) => promise((done) => { client.get(key, done); }),
    set: (key, value) => promise((done) => { client.set(key, value, 0, done); }),
    delete: (key) => promise((done) => { client.del(key, done); }),
    getMany: async (keys) => Object.keys((await promise((done) => { client.getMulti(keys, done); })) as object).length,
    close: () => { client.end(); },
  };
};

interface Memjs {
  get(key: string): Promise<{ value: Buffer | null }>;
  set(key: string, value: unknown, options: object): Promise<boolean>;
  delete(key: string): Promise<boolean>;
  close(): void;
}

export const makeMemjs: MakeAdapter = (site) => {
  const { Client } = require('memjs') as { Client: { create(servers: string, options: object): Memjs } };
  const client = Client.create(addressesOf(site).join(','), { timeout: 10, conntimeout: 10 });
  return {
    get: async (key) => (await client.get(key)).value?.toString(),
    set: (key, value) => client.set(key, value, {}),
    delete: (key) => client.delete(key),
    // It has no multi-get.
    getMany: async (keys) => (await Promise.all(keys.map((key) => client.get(key)))).length,
    close: () => { client.close(); },
  };
};

interface MemcacheClient {
  get(keys: string): Promise<{ value: unknown } | undefined>;
  get(keys: string[]): Promise<object>;
  set(key: string, value: unknown, options: object): Promise<unknown>;
  delete(key: string): Promise<unknown>;
  shutdown(): void;
}

/** It compresses by zstd where a module of that name is installed; zlib is what the others use. */
const ZLIB = {
  compressSync: ({ input }: { input: string | Buffer }): Buffer => deflateSync(input),
  decompressSync: ({ input }: { input: Buffer }): Buffer => inflateSync(input),
};

function memcacheClient(site: Site, more: { readonly noreply?: boolean; readonly compress?: boolean }): Adapter {
  const { MemcacheClient } = require('memcache-client') as { MemcacheClient: new (options: object) => MemcacheClient };
  const client = new MemcacheClient({ server: addressesOf(site)[0], cmdTimeout: 10_000, compressor: ZLIB });
  return {
    get: async (key) => (await client.get(key))?.value,
    set: (key, value) => client.set(key, value, more),
    // It rejects when there was nothing to delete.
    delete: (key) => client.delete(key).catch(() => false),
    getMany: async (keys) => Object.keys(await client.get(keys)).length,
    close: () => { client.shutdown(); },
  };
}

export const makeMemcacheClient: MakeAdapter = (site) => memcacheClient(site, {});
export const makeMemcacheClientNoreply: MakeAdapter = (site) => memcacheClient(site, { noreply: true });
export const makeMemcacheClientCompressing: MakeAdapter = (site) => memcacheClient(site, { compress: true });

interface Memcache {
  get(key: string): Promise<string | undefined>;
  gets(keys: string[]): Promise<Map<string, string>>;
  set(key: string, value: unknown): Promise<boolean>;
  delete(key: string): Promise<boolean>;
  disconnect(): Promise<void>;
}

export const makeMemcache: MakeAdapter = async (site) => {
  const { Memcache: Class } = (await import('memcache')) as { Memcache: new (options: object) => Memcache };
  const client = new Class({ nodes: addressesOf(site), timeout: 10_000 });
  return {
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    delete: (key) => client.delete(key),
    getMany: async (keys) => (await client.gets(keys)).size,
    close: () => client.disconnect(),
  };
};
