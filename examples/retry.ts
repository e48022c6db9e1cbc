/** What is repeated, and what is not: a server that hangs up on every third command. */
import { createServer, type AddressInfo } from 'node:net';
import { Client, MemcacheError, RetryingClient, backoff } from 'tsmemcache';
import { ServerContext, Session } from 'tsmemcache/server';

/** A memcached with a loose contact. */
function startFlaky(): Promise<{ port: number; close: () => void }> {
  const context = new ServerContext();
  let commands = 0;
  const server = createServer((socket) => {
    const session = new Session(context, { write: (data) => socket.write(data), end: () => socket.end() });
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      if (++commands % 3 === 0) socket.resetAndDestroy();
      else session.push(bytes, 0, bytes.length);
    });
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      resolve({ port: (server.address() as AddressInfo).port, close: () => { server.close(); context.close(); } });
    });
  });
}

async function tryOften(call: () => Promise<unknown>): Promise<string> {
  const outcomes = new Map<string, number>();
  for (let i = 0; i < 30; i++) {
    const outcome = await call().then(
      () => 'succeeded',
      (error: unknown) => (error instanceof MemcacheError ? `${error.code}, ${error.certainty}` : 'failed'),
    );
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  }
  return [...outcomes].map(([outcome, times]) => `${times} ${outcome}`).join('; ');
}

async function main(): Promise<void> {
  const server = await startFlaky();
  const plain = new Client(['127.0.0.1', server.port]);
  const patient = new RetryingClient(plain, { attempts: 4, retryDelay: backoff({ base: 2 }) });
  await patient.set('n', 0);
  console.log('get, plain:       ', await tryOften(() => plain.get('n')));
  console.log('get, retrying:    ', await tryOften(() => patient.get('n')));
  console.log('incr, retrying:   ', await tryOften(() => patient.incr('n')));
  console.log('An incr that may have been executed is not repeated: it would count twice.');
  await patient.close();
  server.close();
}

void main();
