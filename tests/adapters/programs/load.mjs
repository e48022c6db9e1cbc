// Programs of other people's modules are modules themselves; the sources are CommonJS.
import { require as load } from 'tsx/cjs/api';

const source = (name) => load(`../../../src/${name}.ts`, import.meta.url);

export const root = source('index');
export const adapter = (name) => source(`adapters/${name}`);
export const telemetry = (name) => source(`telemetry/${name}`);

/** The client of this program, of the class and to the server that its environment names. */
export function newClient(options) {
  const server = process.env.SERVER;
  switch (process.env.CLIENT_CLASS) {
    case 'PooledClient':
      return new root.PooledClient(server, options);
    case 'HashClient':
      return new root.HashClient([server], options);
    case 'RetryingClient':
      return new root.RetryingClient(new root.Client(server, options));
    case 'EmbeddedClient':
      return new (source('embedded/index').EmbeddedClient)(undefined, options);
    default:
      return new root.Client(server, options);
  }
}
