/** Making a connection: whatever a function of the user's own does, it is one that could not be made, or one that was lost. */
import { hasMethods } from '../../options/rule';
import { nextTick } from '../../runtime/clock';
import type { ConnectionSettings } from '../client-options';
import type { Transport, TransportHandler } from './transport';

/** Calls the option `connect`. The handler is not told of the beginning or the end before this has returned. */
export function dial(settings: ConnectionSettings, handler: TransportHandler): Transport {
  let made = false;
  let failed = false;
  const whenMade = (callback: () => void): void => {
    if (made) callback();
    else nextTick(() => { if (!failed) callback(); });
  };
  try {
    const transport: unknown = settings.connect(settings.address, settings, {
      ...handler,
      onOpen: () => { whenMade(() => { handler.onOpen(); }); },
      onClose: (cause) => { whenMade(() => { handler.onClose(cause); }); },
    });
    if (!isTransport(transport)) throw new TypeError('the option connect must return a transport');
    return transport;
  } catch (error) {
    failed = true;
    nextTick(() => { handler.onClose(error instanceof Error ? error : new Error(String(error))); });
    return NO_TRANSPORT;
  } finally {
    made = true;
  }
}

function isTransport(value: unknown): value is Transport {
  return hasMethods(value, 'write', 'cork', 'uncork', 'destroy', 'ref', 'unref');
}

/** Stands for a transport that could not be made. */
export const NO_TRANSPORT: Transport = {
  write: nothing,
  cork: nothing,
  uncork: nothing,
  backlog: 0,
  destroy: nothing,
  ref: nothing,
  unref: nothing,
};

function nothing(): void {
  // There is nothing to do.
}
