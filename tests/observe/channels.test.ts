import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import { CHANNELS, Client, MemcacheSerdeError, MemcacheServerError, ObservedError, type ChannelMessages } from '../../src';
import { EmbeddedClient } from '../../src/embedded';
import { batches, loads, observed, Traces } from '../../src/client/observe';

it('the names are those that channel() takes', () => {
  expect(CHANNELS.command).toBe('tsmemcache:command');
  for (const name of Object.values(CHANNELS)) expect(name).toMatch(/^tsmemcache:[a-z]+(?::[a-z]+)?$/);
  const names: (keyof ChannelMessages)[] = Object.values(CHANNELS);
  expect(new Set(names).size).toBe(names.length);
});

it('a notice is heard by those who listen, and only then said to be heard', () => {
  const message = { clientId: 1, server: 'a:1', calls: 2, bytes: 3 };
  expect(batches.hasSubscribers).toBe(false);
  const heard: unknown[] = [];
  const listen = (got: unknown) => heard.push(got);
  subscribe(CHANNELS.batch, listen);
  expect(batches.hasSubscribers).toBe(true);
  batches.publish(message);
  unsubscribe(CHANNELS.batch, listen);
  expect(batches.hasSubscribers).toBe(false);
  expect(heard).toEqual([message]);
});

describe('a trace', () => {
  const traces = new Traces(CHANNELS.load);

  it.each(['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const)('is heard by who listens to %s alone', (event) => {
    const listen = () => undefined;
    expect(traces.heard).toBe(false);
    subscribe(`tracing:${CHANNELS.load}:${event}`, listen);
    expect(traces.heard).toBe(true);
    unsubscribe(`tracing:${CHANNELS.load}:${event}`, listen);
    expect(traces.heard).toBe(false);
  });

  it('has the order and the one message of a tracing channel', () => {
    const events: [string, unknown][] = [];
    const subscribers = {
      start: (message: unknown) => events.push(['start', message]),
      end: (message: unknown) => events.push(['end', message]),
      asyncStart: (message: unknown) => events.push(['asyncStart', message]),
      asyncEnd: (message: unknown) => events.push(['asyncEnd', message]),
      error: (message: unknown) => events.push(['error', message]),
    };
    tracingChannel(CHANNELS.load).subscribe(subscribers);
    const message: ChannelMessages['tsmemcache:load'] = { clientId: 1, name: 'users' };
    expect(traces.begin(message, (n: number) => n + 1, 6)).toBe(7);
    loads.finish(message);
    message.error = new ObservedError('Error', 'ERROR');
    loads.finish(message);
    tracingChannel(CHANNELS.load).unsubscribe(subscribers);
    expect(events.map(([name]) => name)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd', 'error', 'asyncStart', 'asyncEnd']);
    expect(events.every(([, got]) => got === message)).toBe(true);
  });

  it('runs in the stores that are bound to its start, at that moment', () => {
    const storage = new AsyncLocalStorage<string>();
    const { start } = tracingChannel(CHANNELS.load);
    const seen: unknown[] = [];
    const listen = () => seen.push(storage.getStore());
    const run = () => traces.begin({ clientId: 1, name: '' }, () => storage.getStore(), undefined);
    for (const event of ['start', 'end']) subscribe(`tracing:${CHANNELS.load}:${event}`, listen);
    const without = run();
    start.bindStore(storage, () => 'bound');
    const within = run();
    start.unbindStore(storage);
    const after = run();
    for (const event of ['start', 'end']) unsubscribe(`tracing:${CHANNELS.load}:${event}`, listen);
    expect([without, within, after]).toEqual([undefined, 'bound', undefined]);
    expect(seen).toEqual([undefined, undefined, 'bound', 'bound', undefined, undefined]);
  });
});

describe('an error, as it is told', () => {
  it('has the code, and not the words of a server or a serde', () => {
    const cause = new SyntaxError('unexpected token in "c0nfidential"');
    for (const error of [
      new MemcacheServerError('object c0nfidential too large', { server: 'a:1', command: 'set', certainty: 'executed' }),
      new MemcacheSerdeError('cannot read\n"c0nfidential"', { server: 'a:1', command: 'set', certainty: 'executed', cause }),
    ]) {
      const shown = observed(error);
      expect(shown).toMatchObject({ name: error.name, code: error.code, server: 'a:1', command: 'set', certainty: 'executed' });
      expect(inspect(shown, { depth: 9, showHidden: true })).not.toContain('c0nfidential');
      expect(shown.stack).toContain('channels.test.ts');
    }
  });

  it.each<[string, unknown, string]>([
    ['an abort', new DOMException('c0nfidential', 'AbortError'), 'ABORTED'],
    ['a system error', Object.assign(new Error('connect c0nfidential'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
    ['a code that is a sentence', Object.assign(new Error('no'), { code: 'it was c0nfidential' }), 'ERROR'],
    ['a string', 'c0nfidential', 'ERROR'],
    ['nothing', undefined, 'ERROR'],
  ])('%s', (_, error, code) => {
    const shown = observed(error);
    expect(shown.code).toBe(code);
    expect(inspect(shown, { depth: 9, showHidden: true })).not.toContain('c0nfidential');
  });

  const no = (): never => { throw new Error('no'); };
  const hostile = Object.defineProperties(new Error('hostile'), { name: { get: no }, code: { get: no } });
  const closed = new Proxy(new Error('closed'), { get: (_, name) => (name === 'then' ? undefined : no()) });

  it.each<[string, Error]>([['a getter that throws', hostile], ['a proxy that shows nothing', closed]])('%s: the caller gets it, and the call has its end', async (_, thrown) => {
    expect(observed(thrown)).toMatchObject({ name: 'Error', code: 'ERROR' });
    const heard: string[] = [];
    const note = (event: string) => (): void => { heard.push(event); };
    const events = { start: note('start'), end: note('end'), asyncStart: note('asyncStart'), asyncEnd: note('asyncEnd'), error: note('error') };
    const client = new Client({ execute: () => Promise.reject(thrown), close: () => Promise.resolve() });
    tracingChannel(CHANNELS.command).subscribe(events);
    const outcome = await client.get('a').catch((error: unknown) => error);
    const controller = new AbortController();
    controller.abort(thrown);
    const embedded = new EmbeddedClient();
    const reason = await embedded.get('a', { signal: controller.signal }).catch((error: unknown) => error);
    tracingChannel(CHANNELS.command).unsubscribe(events);
    // toBe would look into it to show it.
    expect([outcome === thrown, reason === thrown]).toEqual([true, true]);
    const call = ['start', 'end', 'error', 'asyncStart', 'asyncEnd'];
    expect(heard).toEqual([...call, ...call]);
    await embedded.close();
  });

  it('in a program whose stacks are no strings', async () => {
    const before = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace') ?? { value: undefined, writable: true, configurable: true };
    Error.prepareStackTrace = (_, frames) => frames;
    const outcomes: unknown[] = [];
    try {
      expect(observed(new MemcacheServerError('no', { server: 'a:1' }))).toMatchObject({ code: 'MEMCACHE_SERVER_ERROR', server: 'a:1' });
      const client = new Client({ execute: () => Promise.reject(new MemcacheServerError('no')), close: () => Promise.resolve() }, { callerStack: true });
      outcomes.push(await client.get('a').catch((error: unknown) => error instanceof MemcacheServerError));
    } finally {
      Object.defineProperty(Error, 'prepareStackTrace', before);
    }
    expect(outcomes).toEqual([true]);
  });
});
