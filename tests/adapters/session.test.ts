import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Request } from 'express';
import expressSession from 'express-session';
import { FallbackClient, ManualClock, MemcacheConnectError, MemcacheIllegalInputError, MemcacheSerdeError, RawSerde, Client, StructuredSerde, type Clock } from '../../src';
import { MemcacheSessionStore } from '../../src/adapters/session';
import { EmbeddedClient } from '../../src/embedded';
import { MemcachedServer } from '../../src/server';
import { runAlone } from '../support/program';
import { promptly } from '../support/busy-machine';
import type { SessionCallbacksReport } from './alone/session-callbacks';
import { deadClient, describeOverCaches } from './clients';

const DAY = 86_400_000;

interface Session {
  readonly user?: string | undefined;
  readonly cookie?: object;
}

/** The store with promises in place of callbacks. */
function promising(store: MemcacheSessionStore): {
  get: (id: string) => Promise<Session | undefined>;
  set: (id: string, session: object) => Promise<void>;
  touch: (id: string, session: object) => Promise<void>;
  destroy: (id: string) => Promise<void>;
} {
  const get = (id: string, done: (error: Error | null, session?: Session) => void): void => {
    store.get<Session>(id, (error, session) => {
      done(error instanceof Error ? error : null, session ?? undefined);
    });
  };
  const write = (verb: 'set' | 'touch') => (id: string, session: object) =>
    new Promise<void>((resolve, reject) => {
      store[verb](id, session, (error) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  const destroy = (id: string, done: (error: Error | null) => void): void => {
    store.destroy(id, (error) => {
      done(error instanceof Error ? error : null);
    });
  };
  return { get: promisify(get), set: write('set'), touch: write('touch'), destroy: promisify(destroy) };
}

/** A session as @fastify/session has it, which knows whether its request has changed it. */
class FastifySession {
  readonly #isModified: boolean;

  constructor(data: Session, isModified: boolean) {
    Object.assign(this, data);
    this.#isModified = isModified;
  }

  isModified(): boolean {
    return this.#isModified;
  }
}

/** Its methods, to be put beside others. */
function bound(clock: ManualClock): Clock {
  return {
    now: () => clock.now(),
    time: () => clock.time(),
    setTimeout: (callback, delay) => clock.setTimeout(callback, delay),
    setImmediate: (callback) => {
      clock.setImmediate(callback);
    },
  };
}

describeOverCaches('MemcacheSessionStore', (cache) => {
  it('stores, reads and destroys, also without a cookie', async () => {
    const store = promising(new MemcacheSessionStore(cache.client()));
    expect(await store.get('absent')).toBeUndefined();
    await store.set('a', { user: 'Ada' });
    expect(await store.get('a')).toEqual({ user: 'Ada' });
    await store.destroy('a');
    expect(await store.get('a')).toBeUndefined();
  });

  it('keeps a session as long as its cookie, a day without', async () => {
    const client = cache.client();
    const store = promising(new MemcacheSessionStore(client));
    const ttlOf = async (id: string): Promise<number | undefined> => (await client.metaGet(`sess:${id}`, { ttl: true }))?.ttl;
    await store.set('60-days', { cookie: { expires: new Date(Date.now() + 60 * DAY), originalMaxAge: 60 * DAY } });
    await store.set('as-json', { cookie: { expires: new Date(Date.now() + 60 * DAY).toJSON() } });
    await store.set('cookie-of-the-browser', { cookie: { expires: null, originalMaxAge: null } });
    for (const id of ['60-days', 'as-json']) {
      expect(await ttlOf(id)).toBeGreaterThan((60 * DAY) / 1000 - 10);
      expect(await store.get(id)).toBeDefined();
    }
    const seconds = await promptly(async () => {
      await store.set('max-age', { cookie: { expires: null, maxAge: 5500 } });
      return ttlOf('max-age');
    });
    expect([5, 6]).toContain(seconds);
    expect(await ttlOf('cookie-of-the-browser')).toBeGreaterThan(DAY / 1000 - 10);
    await store.set('no-date', { cookie: { expires: new Date(NaN), originalMaxAge: 90_000 } });
    expect(await ttlOf('no-date')).toBeLessThanOrEqual(90);
    expect(await store.get('no-date')).toBeDefined();
    await store.touch('60-days', { cookie: { maxAge: 90_000 } });
    expect(await ttlOf('60-days')).toBeLessThanOrEqual(90);
    await store.set('max-age', { cookie: { expires: new Date(Date.now() - 1000) } });
    expect(await store.get('max-age')).toBeUndefined();
  });

  it('touch undoes no save, and brings nothing back', async () => {
    const [slow, fast] = [promising(new MemcacheSessionStore(cache.client())), promising(new MemcacheSessionStore(cache.client()))];
    await slow.set('touched', { user: 'before' });
    const old = await slow.get('touched');
    await fast.set('touched', { user: 'after' });
    await slow.touch('touched', old ?? {});
    expect(await slow.get('touched')).toEqual({ user: 'after' });
    await fast.destroy('touched');
    await slow.touch('touched', old ?? {});
    expect(await slow.get('touched')).toBeUndefined();
  });

  it('a save of what was only read renews the cookie, undoes no save and brings nothing back', async () => {
    const client = cache.client();
    const [slow, fast] = [promising(new MemcacheSessionStore(client)), promising(new MemcacheSessionStore(cache.client()))];
    const before = { user: 'before', cookie: { originalMaxAge: 90_000 } };
    await fast.set('read', before);
    expect(await slow.get('read')).toEqual(before);
    await fast.set('read', { ...before, user: 'after' });
    await slow.set('read', new FastifySession({ user: 'before', cookie: { originalMaxAge: 500_000 } }, false));
    expect(await slow.get('read')).toEqual({ user: 'after', cookie: { originalMaxAge: 500_000 } });
    expect((await client.metaGet('sess:read', { ttl: true }))?.ttl).toBeGreaterThan(490);
    await slow.set('read', new FastifySession({ ...before, user: 'changed' }, true));
    expect(await slow.get('read')).toEqual({ ...before, user: 'changed' });
    await fast.destroy('read');
    await slow.set('read', new FastifySession(before, false));
    expect(await slow.get('read')).toBeUndefined();
    // Nor where a later request of the same process has seen that it is gone.
    await slow.set('read', new FastifySession(before, false));
    expect(await fast.get('read')).toBeUndefined();
  });

  it('a new session that holds nothing is stored, and undoes no save', async () => {
    const [slow, fast] = [promising(new MemcacheSessionStore(cache.client())), promising(new MemcacheSessionStore(cache.client()))];
    const empty = new FastifySession({ cookie: { originalMaxAge: 90_000 } }, false);
    await slow.set('new', empty);
    expect(await slow.get('new')).toEqual({ cookie: { originalMaxAge: 90_000 } });
    await fast.set('new', { user: 'Ada', cookie: {} });
    await slow.set('new', empty);
    expect(await fast.get('new')).toEqual({ user: 'Ada', cookie: { originalMaxAge: 90_000 } });
    // `regenerate(['user'])` of @fastify/session, where the old session has no user.
    await slow.set('regenerated', new FastifySession({ user: undefined, cookie: {} }, false));
    expect(await slow.get('regenerated')).toEqual({ cookie: {} });
  });

  it('a session that was destroyed while a request used it stays destroyed', async () => {
    const [slow, fast] = [promising(new MemcacheSessionStore(cache.client())), promising(new MemcacheSessionStore(cache.client()))];
    await fast.set('left', { user: 'Ada' });
    const session = await slow.get('left');
    await fast.destroy('left');
    await slow.set('left', new FastifySession({ ...session, user: 'back' }, true));
    expect(await fast.get('left')).toBeUndefined();
    // The id may be used again by whoever has seen that it is free.
    await fast.set('left', { user: 'Bob' });
    expect(await slow.get('left')).toEqual({ user: 'Bob' });
  });

  it('stays destroyed also where another request of the same process has missed it since; a minute later the id is free', async () => {
    const clock = new ManualClock();
    const store = promising(new MemcacheSessionStore(cache.client({ clock })));
    await store.set('late', { user: 'Ada' });
    const session = await store.get('late');
    await store.destroy('late');
    expect(await store.get('late')).toBeUndefined();
    await store.set('late', new FastifySession({ ...session, user: 'back' }, true));
    expect(await store.get('late')).toBeUndefined();
    clock.advance(59_000);
    expect(await store.get('late')).toBeUndefined();
    clock.advance(2000);
    await store.set('late', { user: 'Bob' });
    expect(await store.get('late')).toEqual({ user: 'Bob' });
  });

  it.each(['back', 'forward'])('the id is free after a minute, and not before, also when the time of day is set %s meanwhile', async (way) => {
    const clock = new ManualClock();
    let moved = 0;
    const client = cache.client({ clock: { ...bound(clock), time: () => clock.time() + moved } });
    const store = promising(new MemcacheSessionStore(client));
    const id = `set-${way}`;
    await store.set(id, { user: 'Ada' });
    const session = await store.get(id);
    await store.destroy(id);
    expect(await store.get(id)).toBeUndefined();
    moved = way === 'back' ? -3_600_000 : 3_600_000;
    await store.set(id, new FastifySession({ ...session, user: 'back' }, true));
    expect(await client.get(`sess:${id}`)).toBeUndefined();
    clock.advance(61_000);
    await store.set(id, new FastifySession({ user: 'Bob' }, true));
    expect(await store.get(id)).toEqual({ user: 'Bob' });
  });

  it('what no framework has found but the program itself sets is stored, whatever became of the session before', async () => {
    const store = promising(new MemcacheSessionStore(cache.client()));
    for (const user of ['Ada', 'Bob']) {
      await store.set('same', { user });
      expect(await store.get('same')).toEqual({ user });
      await store.destroy('same');
      await store.set('same', { user: 'after a logout' });
      expect(await store.get('same')).toEqual({ user: 'after a logout' });
      await store.destroy('same');
      expect(await store.get('same')).toBeUndefined();
    }
    await store.set('lost', { user: 'Ada' });
    expect(await store.get('lost')).toEqual({ user: 'Ada' });
    // Evicted, or the server was started anew.
    await cache.client().delete('sess:lost');
    await store.set('lost', { user: 'Bob' });
    expect(await store.get('lost')).toEqual({ user: 'Bob' });
  });

  it('a new session of Express may have the id of one that was destroyed', async () => {
    const events = new MemcacheSessionStore(cache.client());
    expressSession({ store: events, secret: 'x', resave: false, saveUninitialized: false });
    const store = promising(events);
    await store.set('fixed', { user: 'Ada' });
    const restored = events.createSession<object>({ sessionID: 'fixed' }, (await store.get('fixed')) ?? {});
    await store.destroy('fixed');
    expect(await store.get('fixed')).toBeUndefined();
    await store.set('fixed', restored);
    expect(await store.get('fixed')).toBeUndefined();
    const request: { sessionID: string; session?: object } = { sessionID: '' };
    events.generate(request);
    await store.set('fixed', Object.assign(request.session ?? {}, { user: 'Bob' }));
    expect(await store.get('fixed')).toMatchObject({ user: 'Bob' });
  });

  it.each([
    { originalMaxAge: 60_000, expires: new Date(Date.now() + 50_000).toISOString(), secure: true, httpOnly: false, sameSite: 'lax', path: '/shop' },
    { originalMaxAge: null, expires: null, httpOnly: true, path: '/' },
    undefined,
  ])('a session of Express gets a cookie of its class back, which its requests prolong: %j', async (cookie) => {
    const store = new MemcacheSessionStore(cache.client());
    const reference = new expressSession.MemoryStore();
    for (const events of [store, reference]) expressSession({ store: events as object as expressSession.Store, secret: 'x', resave: false, saveUninitialized: false });
    await promising(store).set('a', { user: 'Ada', cookie });
    const load = (events: Pick<expressSession.Store, 'createSession'>, stored: object): expressSession.Session =>
      events.createSession({ sessionID: 'a' } as Request, { ...stored } as expressSession.SessionData);
    const session = load(store as object as expressSession.Store, (await promising(store).get('a')) ?? {});
    const same = load(reference, { user: 'Ada', cookie: { ...cookie } });
    expect(session.cookie).toBeInstanceOf(expressSession.Cookie);
    if (cookie !== undefined) expect(session.cookie).toEqual(same.cookie);
    // What the header Set-Cookie is made of.
    if (cookie !== undefined) expect(Reflect.get(session.cookie, 'data')).toEqual(Reflect.get(same.cookie, 'data'));
    session.cookie.maxAge = 90_000;
    expect(session.cookie.maxAge).toBeGreaterThan(80_000);
  });

  it('a session that was touched outlives the cookie stored with it, also when it is saved then', async () => {
    const store = new MemcacheSessionStore(cache.client());
    const events = store as object as expressSession.Store;
    expressSession({ store: events, secret: 'x', resave: false, saveUninitialized: false });
    // As a request leaves it that did nothing but read.
    await promising(store).set('a', { user: 'Ada', cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 1_000).toISOString() } });
    await promising(store).touch('a', { cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000) } });
    const stored = { ...(await promising(store).get('a')), cookie: { originalMaxAge: 60_000, expires: new Date(Date.now() - 1).toISOString() } };
    const session = events.createSession({ sessionID: 'a' } as Request, stored as object as expressSession.SessionData);
    await promising(store).set('a', session);
    expect(await promising(store).get('a')).toMatchObject({ user: 'Ada', cookie: { originalMaxAge: 60_000 } });
    expect(session.cookie.maxAge).toBeGreaterThan(50_000);
  });

  it('a cookie that has expired, and has no maxAge to begin anew with, stays so', () => {
    const events = new MemcacheSessionStore(cache.client()) as object as expressSession.Store;
    expressSession({ store: events, secret: 'x', resave: false, saveUninitialized: false });
    const stored = { user: 'Ada', cookie: { originalMaxAge: null, expires: new Date(Date.now() - 1000).toISOString() } };
    const session = events.createSession({ sessionID: 'a' } as Request, stored as object as expressSession.SessionData);
    expect(session.cookie.maxAge).toBeLessThan(0);
  });

  it('load gives the session, nothing or the error, and regenerate ends the old session before the new one begins', async () => {
    const loaded = (store: MemcacheSessionStore, id: string): Promise<unknown> => new Promise((resolve) => { store.load(id, (error, session) => { resolve(error ?? session); }); });
    const regenerated = (store: MemcacheSessionStore, request: object): Promise<unknown> => new Promise((resolve) => { store.regenerate({ sessionID: 'a', ...request }, resolve); });
    const events = new MemcacheSessionStore(cache.client());
    const dead = new MemcacheSessionStore(await deadClient());
    for (const store of [events, dead]) expressSession({ store, secret: 'x', resave: false, saveUninitialized: false });
    await promising(events).set('a', { user: 'Ada', cookie: { originalMaxAge: null } });
    expect(await loaded(events, 'a')).toMatchObject({ user: 'Ada', id: 'a' });
    expect(await regenerated(events, {})).toBeNull();
    expect(await loaded(events, 'a')).toBeUndefined();
    expect(await loaded(dead, 'a')).toBeInstanceOf(MemcacheConnectError);
    expect(await regenerated(dead, {})).toBeInstanceOf(MemcacheConnectError);
  });

  it('takes ids that are no legal keys', async () => {
    const store = promising(new MemcacheSessionStore(cache.client(), { prefix: 'app:' }));
    for (const id of ['with a space', 'x'.repeat(400)]) {
      await store.set(id, { user: id });
      expect(await store.get(id)).toEqual({ user: id });
    }
  });
});

it.each(['a request of Express', 'a request of @fastify/session'])('during a migration %s saves and prolongs what only the older cache has', async (framework) => {
  const [first, older] = [new EmbeddedClient(), new EmbeddedClient()];
  const events = new MemcacheSessionStore(new FallbackClient([first, older]));
  expressSession({ store: events as object as expressSession.Store, secret: 'x', resave: false, saveUninitialized: false });
  const store = promising(events);
  const restore = (id: string, stored: Session): object =>
    framework.endsWith('Express') ? events.createSession<object>({ sessionID: id }, stored) : new FastifySession(stored, true);
  for (const id of ['saved', 'touched', 'destroyed']) await promising(new MemcacheSessionStore(older)).set(id, { user: 'Ada', cookie: { originalMaxAge: 60_000 } });
  const saved = restore('saved', (await store.get('saved')) ?? {});
  await store.set('saved', Object.assign(saved, { user: 'Bob' }));
  expect(await store.get('saved')).toMatchObject({ user: 'Bob' });
  const touched = restore('touched', (await store.get('touched')) ?? {});
  await store.touch('touched', Object.assign(touched, { cookie: { originalMaxAge: 90_000 } }));
  expect(await store.get('touched')).toMatchObject({ user: 'Ada' });
  expect((await first.metaGet('sess:touched', { ttl: true }))?.ttl).toBeGreaterThan(80);
  const destroyed = restore('destroyed', (await store.get('destroyed')) ?? {});
  await store.destroy('destroyed');
  await store.set('destroyed', destroyed);
  await store.touch('destroyed', destroyed);
  expect(await store.get('destroyed')).toBeUndefined();
});

it('a session that was destroyed stays so however many sessions are asked for meanwhile that never were', async () => {
  const store = promising(new MemcacheSessionStore(new EmbeddedClient()));
  await store.set('kept', { user: 'Ada' });
  const session = await store.get('kept');
  await Promise.all(Array.from({ length: 10_100 }, (_, i) => store.get(`never-${i}`)));
  await store.destroy('kept');
  await store.set('kept', new FastifySession({ ...session, user: 'back' }, true));
  expect(await store.get('kept')).toBeUndefined();
});

it('remembers the last ten thousand sessions that were found', async () => {
  const store = promising(new MemcacheSessionStore(new EmbeddedClient()));
  const ids = Array.from({ length: 10_001 }, (_, i) => `s${i}`);
  for (const id of ids) await store.set(id, { user: 'Ada' });
  for (const id of ids) await store.get(id);
  const isBack = async (id: string): Promise<boolean> => {
    await store.destroy(id);
    await store.set(id, new FastifySession({ user: 'back' }, true));
    return (await store.get(id)) !== undefined;
  };
  expect([await isBack('s1'), await isBack('s0')]).toEqual([false, true]);
});

it('during a migration a session whose cookie has expired is gone, from the older cache too', async () => {
  const [first, older] = [new EmbeddedClient(), new EmbeddedClient()];
  await promising(new MemcacheSessionStore(older)).set('expired', { user: 'Ada' });
  const store = promising(new MemcacheSessionStore(new FallbackClient([first, older])));
  await store.set('expired', { user: 'Ada', cookie: { expires: new Date(Date.now() - 1000) } });
  expect(await store.get('expired')).toBeUndefined();
});

it('works through a serde that reads bytes', async () => {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address, { serde: new RawSerde() });
  const store = promising(new MemcacheSessionStore(client));
  await store.set('a', { user: 'Ada' });
  expect(await store.get('a')).toEqual({ user: 'Ada' });
});

it('errors reach the framework; with failures: "miss" there is no session', async () => {
  const client = await deadClient();
  const store = promising(new MemcacheSessionStore(client));
  for (const call of [store.get('a'), store.set('a', {}), store.touch('a', {}), store.destroy('a')]) {
    await expect(call).rejects.toBeInstanceOf(MemcacheConnectError);
  }
  const lenient = promising(new MemcacheSessionStore(client, { failures: 'miss' }));
  expect(await lenient.get('a')).toBeUndefined();
  await lenient.set('a', {});
  await lenient.destroy('a');
});

it('what is no session, or cannot be read, is an error that says so; with failures: "miss" there is no session', async () => {
  await using server = await MemcachedServer.start();
  await using client = new Client(server.address);
  await using other = new Client(server.address, { serde: new StructuredSerde<string>() });
  await client.setMany({ 'sess:cut': '{"user":"Ad', 'sess:number': '5', 'sess:null': 'null', 'sess:bytes': Buffer.from([0xff]) });
  await other.set('sess:serde', '{}');
  const store = promising(new MemcacheSessionStore(client));
  const lenient = promising(new MemcacheSessionStore(client, { failures: 'miss' }));
  for (const id of ['cut', 'number', 'null', 'bytes']) {
    await expect(store.get(id)).rejects.toThrow(/what is stored under the key of the session is not a JSON object/);
    expect(await lenient.get(id)).toBeUndefined();
  }
  await expect(store.get('serde')).rejects.toBeInstanceOf(MemcacheSerdeError);
  expect(await lenient.get('serde')).toBeUndefined();
});

it('what is no error of the cache reaches the framework, whatever failures says', async () => {
  await using client = new EmbeddedClient();
  const store = promising(new MemcacheSessionStore(client, { failures: 'miss' }));
  await expect(store.set('a', { cookie: {}, visits: 1n })).rejects.toBeInstanceOf(TypeError);
});

it('an error of a callback is thrown as without promises, and the callback is called once', async () => {
  const calls = ['destroy', 'failed', 'get', 'set', 'touch'];
  expect(await runAlone<SessionCallbacksReport>(join(__dirname, 'alone', 'session-callbacks.ts'), {})).toEqual({
    uncaught: calls,
    unhandled: [],
    calls: Object.fromEntries(calls.map((call) => [call, 1])),
  });
});

it('lists and clears nothing: there are no methods that would lie', async () => {
  const store = new MemcacheSessionStore(await deadClient());
  for (const name of ['all', 'length', 'clear']) expect(name in store).toBe(false);
});

it('refuses options that are not legal', async () => {
  const client = await deadClient();
  expect(() => new MemcacheSessionStore({} as Client)).toThrow(MemcacheIllegalInputError);
  for (const options of [{ prefix: 'a b' }, { ttl: '1d' }, { failures: true }, { maxAge: 1 }] as object[]) {
    expect(() => new MemcacheSessionStore(client, options)).toThrow(MemcacheIllegalInputError);
  }
});
