/** One process of `observation.ts`: runs gets with the client of a bundle, and tells the CPU time. */
const { subscribe } = require('node:diagnostics_channel');

const [, , bundle, port, heard] = process.argv;
const { CHANNELS, Client } = require(bundle);

if (heard === 'heard') {
  const nothing = () => undefined;
  for (const name of Object.values(CHANNELS)) {
    subscribe(name, nothing);
    for (const event of ['start', 'end', 'asyncStart', 'asyncEnd', 'error']) subscribe(`tracing:${name}:${event}`, nothing);
  }
}

const client = new Client(`127.0.0.1:${port}`);
const keys = Array.from({ length: 1024 }, (_, i) => `key-${i}`);
const stored = client.setMany(keys.map((key) => [key, 'x'.repeat(100)]));

process.on('message', async ({ calls, depth }) => {
  await stored;
  let left = calls;
  const lane = async (from) => {
    for (let i = from; left-- > 0; i = (i + 1) % keys.length) await client.get(keys[i]);
  };
  const before = process.cpuUsage();
  await Promise.all(Array.from({ length: depth }, (_, i) => lane(i)));
  const { user, system } = process.cpuUsage(before);
  process.send(user + system);
});
