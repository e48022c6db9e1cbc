import { Client, FallbackClient, HashClient, PooledClient, RetryingClient, type ClientOptions } from '../../src';

export type MakeClient = (address: string, options?: ClientOptions) => Client;

/** Each kind of client over one server. */
export const KINDS_OVER_ONE_SERVER: readonly (readonly [name: string, make: MakeClient])[] = [
  ['Client', (address, options) => new Client(address, options)],
  ['PooledClient', (address, options) => new PooledClient(address, options)],
  ['HashClient', (address, options) => new HashClient([address], options)],
  ['HashClient of pools', (address, options) => new HashClient([address], { ...options, usePooling: true })],
  ['RetryingClient', (address, options) => new RetryingClient(new Client(address, options))],
  ['FallbackClient', (address, options) => new FallbackClient([new Client(address, options)])],
];
