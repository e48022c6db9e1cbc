import sinon from 'sinon';
import { require as load } from 'tsx/cjs/api';

const { scenario } = load('../scenario.ts', import.meta.url);
const { run } = load('../run.ts', import.meta.url);

// What Node's own sockets go on with must not be faked: process.nextTick, and so on.
const toFake = ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date', 'performance'];

let clock;
const tool = (config, advance = (milliseconds) => clock.tickAsync(milliseconds)) => ({
  fake: () => { clock = sinon.useFakeTimers({ now: Date.now(), toFake, ...config }); },
  real: () => clock.restore(),
  advance,
  setForward: (milliseconds) => clock.setSystemTime(Date.now() + milliseconds),
  fakesDate: true,
});

await run({
  'as they are': scenario(tool({})),
  'advanced in one step': scenario(tool({}, (milliseconds) => clock.tick(milliseconds))),
  'with another date': scenario({ ...tool({ now: Date.UTC(2038, 0, 19) }), fromNow: false }),
  'that advance by themselves': scenario(tool({ shouldAdvanceTime: true })),
});
