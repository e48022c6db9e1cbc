import { freePort } from '../../tests/support/memcached';
import type { Protocol } from './clients/adapter';
import type { Observation, Play } from './observation';
import { STORED, type Fault } from './scripts';
import { FaultServer } from './server/fault-server';
import { startRelay } from './server/relay';

/** The server's side of one cell. */
export interface Stage {
  readonly port: number;
  /** Is told what the client's process says. */
  onObservation(observation: Observation): void;
  /** What was seen on this side. */
  seen(): Promise<Pick<Play, 'flushed' | 'sent'>>;
  close(): Promise<void>;
}

const NOTHING_SEEN = { flushed: false, sent: undefined };

export async function setStage(fault: Fault, protocol: Protocol): Promise<Stage> {
  switch (fault.server) {
    case 'memcached':
      return realServer(fault);
    case 'absent':
      return lateServer(protocol);
    default: {
      const server = new FaultServer(protocol, STORED, fault.server);
      return {
        port: await server.listen(),
        onObservation: () => undefined,
        seen: () => Promise.resolve(NOTHING_SEEN),
        close: () => server.close(),
      };
    }
  }
}

async function realServer(fault: Fault): Promise<Stage> {
  const relay = await startRelay(STORED);
  return {
    port: relay.port,
    onObservation: () => undefined,
    seen: async () => ({ flushed: await relay.flushed(), sent: howSent(fault, relay.sent()) }),
    close: () => relay.close(),
  };
}

function howSent({ calls: [call] }: Fault, bytes: string): Play['sent'] {
  if (call === undefined) return undefined;
  // Keys are sent as UTF-8.
  const hasKey = bytes.includes(Buffer.from(call.key).toString('latin1'));
  if (call.value === undefined ? !hasKey : !bytes.includes(call.value)) return 'not at all';
  return hasKey ? 'as it is' : 'under another key';
}

/** Begins to listen when the call is over. */
async function lateServer(protocol: Protocol): Promise<Stage> {
  const server = new FaultServer(protocol, STORED, () => undefined);
  const port = await freePort();
  return {
    port,
    onObservation: ({ step }) => {
      if (step === 'call') void server.listen(port);
    },
    seen: () => Promise.resolve(NOTHING_SEEN),
    close: () => server.close(),
  };
}
