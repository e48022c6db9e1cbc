import { LONGEST_TIMER, systemClock } from '../../src/runtime/clock';

afterEach(() => { jest.useRealTimers(); });

it('a timer is lost as long as the timers of the process are others than those that it was set with', () => {
  const timer = systemClock.setTimeout(() => undefined, 60_000);
  expect(timer.isLost).toBe(false);
  jest.useFakeTimers();
  expect(timer.isLost).toBe(true);
  const faked = systemClock.setTimeout(() => undefined, 60_000);
  expect(faked.isLost).toBe(false);
  jest.useRealTimers();
  expect([timer.isLost, faked.isLost]).toEqual([false, true]);
  timer.close();
});

it('a timer for longer than the system has timers never fires', () => {
  jest.useFakeTimers();
  const fired = jest.fn();
  systemClock.setTimeout(fired, LONGEST_TIMER + 1);
  expect(jest.getTimerCount()).toBe(0);
  systemClock.setTimeout(fired, LONGEST_TIMER);
  jest.advanceTimersByTime(LONGEST_TIMER);
  expect(fired).toHaveBeenCalledTimes(1);
});

it('durations follow a Date that a test sets', () => {
  jest.useFakeTimers({ now: 1_750_000_000_000 });
  const before = systemClock.now();
  jest.setSystemTime(1_750_000_060_000);
  expect(systemClock.now() - before).toBe(60_000);
});
