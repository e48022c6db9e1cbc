import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Client } from '../../src';
import { MemcachedServer } from '../../src/server';
import { fromEnvironment, report } from './report';

const SLOW = fromEnvironment('RELIABILITY_SLOW_CLIENTS', 400);
const MIB = 1024 * 1024;

it('hundreds of slow and half-open clients cost little, and their neighbours do not notice', async () => {
  const server = await MemcachedServer.start({ maxConnections: SLOW + 100 });
  const neighbour = new Client(server.address);
  await neighbour.set('large', Buffer.alloc(900_000, 'x'));
  await neighbour.set('mine', 'still here');
  const before = process.memoryUsage();
  const sockets: Socket[] = [];
  for (let i = 0; i < SLOW; i++) {
    const socket = connect(server.port, '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    sockets.push(socket);
    const kind = i % 4;
    // Half a line; a large value announced and hardly begun; half open; asks for much and reads nothing.
    if (kind === 0) socket.write('get '.padEnd(200, 'k'));
    else if (kind === 1) socket.write(`set k${i} 0 0 1000000\r\nx`);
    else if (kind === 2) socket.end('get mine\r\n');
    else socket.pause().write('get large\r\n'.repeat(20));
  }
  const times: number[] = [];
  for (let i = 0; i < 500; i++) {
    const started = performance.now();
    expect(await neighbour.get('mine')).toBe('still here');
    times.push(performance.now() - started);
    if (i % 10 === 0) for (const [n, socket] of sockets.entries()) if (n % 4 === 0 && i < 200) socket.write('k');
  }
  const after = process.memoryUsage();
  const growth = after.heapUsed + after.external - before.heapUsed - before.external;
  times.sort((a, b) => a - b);
  console.log(`p99 of the neighbour ${times[Math.floor(times.length * 0.99)]?.toFixed(2)} ms`);
  for (const socket of sockets) socket.destroy();
  await neighbour.close();
  await server.close();
  report({ goal: 'G23', claim: `${SLOW} slow clients of the embedded server: MiB more in the server’s process (with the clients’ own sockets)`, n: SLOW, value: Math.round(growth / MIB), limit: 128, pass: growth < 128 * MIB });
}, 60_000);
