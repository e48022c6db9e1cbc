import { require as load } from 'tsx/cjs/api';
import { afterEach, describe, it, vi } from 'vitest';

const { scenario } = load('../scenario.ts', import.meta.url);

const tool = (config) => ({
  fake: () => vi.useFakeTimers(config),
  real: () => vi.useRealTimers(),
  advance: (milliseconds) => vi.advanceTimersByTimeAsync(milliseconds),
  setForward: (milliseconds) => vi.setSystemTime(Date.now() + milliseconds),
  fakesDate: true,
});

const modes = [
  ['as they are', tool()],
  ['advanced in one step', { ...tool(), advance: (milliseconds) => vi.advanceTimersByTime(milliseconds) }],
  ['with another date', { ...tool({ now: new Date('2038-01-19') }), fromNow: false }],
  ['that advance by themselves', tool({ shouldAdvanceTime: true })],
  ['of timers and dates', tool({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })],
  ['of timers alone', { ...tool({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }), setForward: undefined, fakesDate: false }],
];

describe.each(modes)('fake timers of vitest %s', (_, mode) => {
  afterEach(() => vi.useRealTimers());
  it.each(Object.entries(scenario(mode)))('%s', (_name, body) => body());
});
