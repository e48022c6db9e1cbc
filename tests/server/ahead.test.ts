import { MemoryStore } from '../../src/server';
import { ServerContext } from '../../src/server/memcached/commands/context';
import { Session } from '../../src/server/memcached/session';

/** How much memory a client is given that has sent only the beginning of a value. */
describe('what was announced', () => {
  function taken(clients: number, maxItemSize: number): number {
    const context = new ServerContext({ store: new MemoryStore({ maxItemSize, maxBytes: 2 ** 32 }) });
    context.connections.current = clients;
    const before = process.memoryUsage().arrayBuffers;
    const sessions = Array.from({ length: clients }, () => {
      const session = new Session(context, { write: () => undefined, end: () => undefined });
      const input = Buffer.from(`set k 0 0 ${maxItemSize - 1000}\r\nvalue`);
      session.push(input, 0, input.length);
      return session;
    });
    const growth = process.memoryUsage().arrayBuffers - before;
    for (const session of sessions) session.close();
    return growth;
  }

  it('is believed while all clients together cannot take much by it', () => {
    // Garbage of earlier work may go meanwhile, which looks like less.
    const most = Math.max(...Array.from({ length: 5 }, () => taken(32, 2 ** 20)));
    expect(most).toBeGreaterThan(8 * 2 ** 20);
    expect(most).toBeLessThan(34 * 2 ** 20);
  });

  it.each([
    [33, 2 ** 20],
    [1, 2 ** 26],
  ])('is not believed of %d clients with values of %d bytes', (clients, maxItemSize) => {
    expect(taken(clients, maxItemSize)).toBeLessThan(clients * 2 ** 17);
  });
});
