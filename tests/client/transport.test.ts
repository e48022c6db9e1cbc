import { parseServerAddress } from '../../src/client/server-address';
import { connectSocket } from '../../src/client/wire/transport';
import { MemcachedServer } from '../../src/server';

/** The buffers of three reads, one after the other. */
async function buffersOfReads(): Promise<readonly Buffer[]> {
  const server = await MemcachedServer.start();
  const buffers: Buffer[] = [];
  await new Promise<void>((resolve) => {
    const ask = (): void => {
      transport.write('version\r\n');
    };
    const onData = (buffer: Buffer): void => {
      if (buffers.push(buffer) < 3) ask();
      else transport.destroy();
    };
    const options = { noDelay: true, keepAlive: undefined, tls: undefined, connectTimeout: 5000, timeout: 5000 };
    const transport = connectSocket(parseServerAddress(server.address), options, { onOpen: ask, onData, onDrain: () => undefined, onClose: () => { resolve(); } });
  });
  await server.close();
  return buffers;
}

it('all reads share one buffer', async () => {
  expect(new Set(await buffersOfReads()).size).toBe(1);
});

it("each read has its own in Cloudflare's Workers, which keep it: with one buffer nothing came after the first", async () => {
  Object.defineProperty(globalThis, 'WebSocketPair', { value: Object, configurable: true });
  try {
    expect(new Set(await buffersOfReads()).size).toBe(3);
  } finally {
    Reflect.deleteProperty(globalThis, 'WebSocketPair');
  }
});
