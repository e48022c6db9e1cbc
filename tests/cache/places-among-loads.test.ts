import { SharedSlot, Slots } from '../../src/cache/engine/slots';
import { Fleet } from './support/fleet';

describe('a place among the loads is not lost', () => {
  it.each<[string, (fleet: Fleet, signal: AbortSignal) => Promise<unknown>]>([
    ['a key', (fleet, signal) => fleet.processes[0]!.get('b', { signal })],
    ['several keys', (fleet, signal) => fleet.processes[0]!.cache.getMany(['b', 'c'], () => ['B', 'C'], { signal })],
  ])('when whoever waits for it with %s gives up in the moment in which it becomes free', async (_, ask) => {
    const controller = new AbortController();
    const fleet = new Fleet(1, 100, { maxLoads: 1, observe: ({ type }) => { if (type === 'load-error') controller.abort(); } });
    fleet.database.value = (key) => {
      if (key === 'a') throw new Error('broken');
      return key;
    };
    const first = fleet.processes[0]!.get('a').catch((error: unknown) => (error as Error).message);
    await fleet.clock.pass(10);
    const gone = ask(fleet, controller.signal).catch(() => 'gone');
    expect(await fleet.clock.until(Promise.all([first, gone]))).toEqual(['broken', 'gone']);
    expect(fleet.processes[0]!.cache.stats()).toMatchObject({ loads: 0, queued: 0 });
    expect(await fleet.clock.until(fleet.processes[0]!.get('d'))).toBe('d');
  });

  it('nor is there more than one for the keys of a batch', () => {
    const slots = new Slots(3, 0);
    const shared = new SharedSlot(slots);
    for (let key = 0; key < 5; key++) {
      expect(shared.take()).toBe(true);
      expect(slots.used).toBe(1);
    }
    for (let key = 0; key < 5; key++) {
      expect(slots.used).toBe(1);
      shared.give();
    }
    expect(slots.used).toBe(0);
  });

  it('when the loads that share one have another by the time their turn comes', async () => {
    const slots = new Slots(2, 10);
    const shared = new SharedSlot(slots);
    expect([slots.take(), slots.take()]).toEqual([true, true]);
    const turn = shared.wait();
    slots.give();
    slots.give();
    expect([shared.take(), slots.used, slots.queued]).toEqual([true, 2, 0]);
    await turn?.come;
    expect(slots.used).toBe(1);
    shared.give();
    expect(slots.used).toBe(1);
    shared.give();
    expect(slots.used).toBe(0);
  });
});
