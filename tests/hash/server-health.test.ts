import { MemcacheAuthenticationError, MemcacheConnectError, MemcacheUnexpectedCloseError, MemcacheUnknownCommandError } from '../../src';
import { ServerHealth } from '../../src/client/policies/server-health';
import { VirtualClock } from '../support/virtual-clock';

/** A server's health with chance taken out: waits are as long as they may be. */
function makeHealth(random = () => 1): { health: ServerHealth; clock: VirtualClock } {
  const clock = new VirtualClock();
  return { clock, health: new ServerHealth({ clock, random, retryAttempts: 2, retryTimeout: 1000, deadTimeout: 60_000, timeout: 1000 }) };
}

it('healthy → failing → dead → healthy, each on what belongs to it', async () => {
  const { health, clock } = makeHealth();
  expect([health.state, health.untilNextProbe]).toEqual(['healthy', 0]);
  const failure = new MemcacheConnectError('refused');
  health.onTrouble(failure);
  expect([health.state, health.failures, health.lastFailure, health.untilNextProbe]).toEqual(['failing', 1, failure, 1000]);
  expect(health.admitProbe()).toBe(false);
  /** The probe is not admitted before `wait` milliseconds have passed, and then. */
  const expectProbeAfter = async (wait: number): Promise<void> => {
    await clock.advance(wait - 1);
    expect(health.admitProbe()).toBe(false);
    await clock.advance(1);
    expect(health.admitProbe()).toBe(true);
  };
  await expectProbeAfter(1000);
  health.onTrouble(failure);
  expect([health.state, health.failures]).toEqual(['failing', 2]);
  await expectProbeAfter(1000);
  health.onTrouble(failure);
  expect([health.state, health.failures, health.untilNextProbe]).toEqual(['dead', 3, 60_000]);
  await expectProbeAfter(60_000);
  health.onTrouble(failure);
  expect([health.state, health.failures]).toEqual(['dead', 4]);
  await expectProbeAfter(60_000);
  health.onAnswer();
  expect([health.state, health.failures, health.lastFailure, health.untilNextProbe]).toEqual(['healthy', 0, undefined, 0]);
});

it('one probe at a time, however long it takes, and another one in time when nothing comes of it', async () => {
  const { health, clock } = makeHealth();
  health.onTrouble(new MemcacheUnexpectedCloseError('reset'));
  await clock.advance(1000);
  expect([health.admitProbe(), health.admitProbe(), health.admitProbe()]).toEqual([true, false, false]);
  await clock.advance(10_000);
  expect(health.admitProbe()).toBe(false);
  health.onProbeEnd();
  expect([health.state, health.failures, health.untilNextProbe, health.admitProbe()]).toEqual(['failing', 1, 1000, false]);
  await clock.advance(1000);
  expect(health.admitProbe()).toBe(true);
});

it('what does not speak against the server changes nothing', () => {
  const { health } = makeHealth();
  health.onTrouble(new MemcacheAuthenticationError('refused'));
  health.onTrouble(new MemcacheUnknownCommandError('ERROR'));
  expect([health.state, health.failures, health.lastFailure]).toEqual(['healthy', 0, undefined]);
});

it('trouble of many connections at once counts once', () => {
  const { health } = makeHealth();
  for (let i = 0; i < 100; i++) health.onTrouble(new MemcacheUnexpectedCloseError('reset'));
  expect([health.state, health.failures]).toEqual(['failing', 1]);
});

it('an answer while it fails makes it healthy again', async () => {
  const { health, clock } = makeHealth();
  health.onTrouble(new MemcacheUnexpectedCloseError('reset'));
  await clock.advance(1000);
  health.admitProbe();
  health.onAnswer();
  health.onTrouble(new MemcacheUnexpectedCloseError('reset'));
  expect([health.state, health.failures]).toEqual(['failing', 1]);
});

it('clients come back at different moments: 500 of them within the whole wait, no more than a few at once', () => {
  let seed = 1;
  const random = (): number => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  const waits = Array.from({ length: 500 }, () => {
    const { health } = makeHealth(random);
    health.onTrouble(new MemcacheUnexpectedCloseError('reset'));
    return health.untilNextProbe;
  });
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(250);
  expect(Math.max(...waits)).toBeLessThanOrEqual(1000);
  const perTenMilliseconds = new Map<number, number>();
  for (const wait of waits) perTenMilliseconds.set(Math.floor(wait / 10), (perTenMilliseconds.get(Math.floor(wait / 10)) ?? 0) + 1);
  expect(Math.max(...perTenMilliseconds.values())).toBeLessThan(25);
});
