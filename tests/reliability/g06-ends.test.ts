import { Client, MemcacheError, PooledClient } from '../../src';
import { ScriptedServer } from '../support/scripted-server';
import { transcripts } from '../support/transcripts';
import { turns, VirtualClock } from '../support/virtual-clock';
import { report } from './report';

let ends = 0;

describe.each(transcripts)('%s', (_, call, reply, result) => {
  it.each(['fin', 'rst', 'silence'] as const)('%s at every byte of the reply: an error or the result, and the next call is right', async (how) => {
    const server = await ScriptedServer.start();
    server.put('next', 'fine');
    for (const kind of ['Client', 'PooledClient'] as const) {
      const clock = new VirtualClock();
      const client = kind === 'Client' ? new Client(server.address, { clock }) : new PooledClient(server.address, { clock, maxPoolSize: 2 });
      // A connection that is silent after a whole reply is in order, and waits for the next call.
      const last = how === 'silence' ? reply.length - 1 : reply.length;
      for (let at = 0; at <= last; at += kind === 'Client' ? 1 : 5) {
        server.next(async (connection) => {
          await connection.expectMatch(/\r\n/);
          if (at > 0) await connection.send(reply.slice(0, at));
          if (how === 'silence') await connection.hold();
          else await connection[how]();
        });
        const pending = call(client).catch((error: unknown) => error);
        if (how === 'silence') {
          await turns(5);
          await clock.advance(1001);
        }
        const outcome = await pending;
        if (outcome instanceof MemcacheError) expect(outcome.certainty).toBe('maybeExecuted');
        else expect(outcome).toEqual(result);
        // The end may come after what the call needed: then the next call may meet it, the one after it not.
        const next = client.get('next');
        expect(await (outcome instanceof MemcacheError ? next : next.catch(() => client.get('next')))).toBe('fine');
        await client.close();
        ends++;
      }
    }
    await server.close();
  });
});

it('all ends were met', () => {
  report({ goal: 'G06', claim: 'FIN, RST and silence at every byte of 14 replies: no hang, and no wrong value afterwards', n: ends, value: 0, limit: 0, pass: ends > 1000 });
});
