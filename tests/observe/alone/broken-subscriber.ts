import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { CHANNELS, Client } from '../../../src';
import { MemcachedServer } from '../../../src/server';
import { alone } from '../../support/alone';

export interface BrokenSubscriberReport {
  readonly stored: boolean;
  readonly read: unknown;
  /** What Node reported as uncaught. */
  readonly reported: number;
  readonly errors: number;
}

alone(async (): Promise<BrokenSubscriberReport> => {
  let reported = 0;
  process.on('uncaughtException', () => reported++);
  const broken = (): void => {
    throw new Error('broken');
  };
  const names = [CHANNELS.batch, ...(['start', 'end', 'asyncStart', 'asyncEnd'] as const).map((event) => `tracing:${CHANNELS.command}:${event}`)];
  const server = await MemcachedServer.start();
  for (const name of names) subscribe(name, broken);
  const client = new Client(server.address);
  const stored = await client.set('a', 'x');
  const read = await client.get('a');
  for (const name of names) unsubscribe(name, broken);
  const { errors } = client.metrics().get(server.address) ?? { errors: { none: 1 } };
  await client.close();
  await server.close();
  return { stored, read, reported, errors: Object.keys(errors).length };
});
