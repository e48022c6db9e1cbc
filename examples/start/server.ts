/** A server in a process of its own, for `npm start`: it listens on the port that it is sent, and says where. */
import { MemcachedServer } from 'tsmemcache/server';

process.once('message', (port: number) => {
  void MemcachedServer.start({ port }).then((server) => process.send?.(server.address));
});
process.once('disconnect', () => process.exit());
