import { scenario, turns, type FakeTimers } from './scenario';

type Config = Parameters<typeof jest.useFakeTimers>[0];

function modern(config: Config, fakesDate = true): FakeTimers {
  return {
    fake: () => { jest.useFakeTimers(config); },
    real: () => { jest.useRealTimers(); },
    advance: (milliseconds) => jest.advanceTimersByTimeAsync(milliseconds),
    ...(fakesDate && { setForward: (milliseconds: number) => { jest.setSystemTime(Date.now() + milliseconds); } }),
    fakesDate,
  };
}

const modes: [name: string, timers: FakeTimers][] = [
  ['as they are', modern(undefined)],
  ['advanced in one step', { ...modern(undefined), advance: (milliseconds) => { jest.advanceTimersByTime(milliseconds); } }],
  ['with another date', { ...modern({ now: new Date('2038-01-19') }), fromNow: false }],
  ['that advance by themselves', modern({ advanceTimers: true })],
  ['without performance', modern({ doNotFake: ['performance'] })],
  ['without Date', modern({ doNotFake: ['Date'] }, false)],
  ['without immediates and ticks', modern({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] })],
  [
    'of the old kind',
    {
      fake: () => { jest.useFakeTimers({ legacyFakeTimers: true }); },
      real: () => { jest.useRealTimers(); },
      // These fake no time that one could look at: what is to be late must have begun.
      advance: async (milliseconds) => {
        await turns();
        jest.advanceTimersByTime(milliseconds);
      },
      fakesDate: false,
    },
  ],
];

describe.each(modes)('fake timers of jest %s', (_, timers) => {
  afterEach(() => { jest.useRealTimers(); });

  it.each(Object.entries(scenario(timers)))('%s', (_name, body) => body());
});
