import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { endWithUs } from './child-processes';
import { accepts, freePort, memcachedBinary } from './memcached';

/** A real proxy over real servers, run for tests. */
export interface ProxyProcess {
  readonly address: string;
  stop(): Promise<void>;
}

export type StartProxy = (backends: readonly string[]) => Promise<ProxyProcess>;

/** twemproxy: `NUTCRACKER_BIN`, or `nutcracker` on the PATH; undefined when there is none. */
export function twemproxyBinary(): string | undefined {
  const binary = process.env['NUTCRACKER_BIN'] ?? 'nutcracker';
  return spawnSync(binary, ['-V']).status === 0 ? binary : undefined;
}

/** A memcached that was built with its proxy: `MEMCACHED_PROXY_BIN`, or the one to test against; undefined when there is none. */
export function memcachedProxyBinary(): string | undefined {
  const binary = process.env['MEMCACHED_PROXY_BIN'] ?? memcachedBinary();
  if (binary === undefined) return undefined;
  return spawnSync(binary, ['-h'], { encoding: 'utf8' }).stdout.includes('proxy_config') ? binary : undefined;
}

/** @param timeout - how long it waits for a server, in milliseconds */
export const startTwemproxy = (backends: readonly string[], timeout = 400): Promise<ProxyProcess> =>
  start(async (folder) => {
    const [port, statistics] = [await freePort(), await freePort()];
    const servers = backends.map((backend) => `   - ${backend}:1\n`).join('');
    const config = join(folder, 'nutcracker.yml');
    writeFileSync(config, `pool:\n  listen: 127.0.0.1:${port}\n  hash: md5\n  distribution: modula\n  auto_eject_hosts: false\n  timeout: ${timeout}\n  servers:\n${servers}`);
    return { port, binary: twemproxyBinary() ?? '', args: ['-c', config, '-a', '127.0.0.1', '-s', String(statistics), '-o', join(folder, 'log')] };
  });

export const startMemcachedProxy: StartProxy = (backends) =>
  start(async (folder) => {
    const port = await freePort();
    const names = backends.map((backend, index) => `mcp.backend('b${index}', '127.0.0.1', ${backend.split(':')[1] ?? ''})`).join(', ');
    const config = join(folder, 'proxy.lua');
    writeFileSync(config, `
      function mcp_config_pools() return mcp.pool({ ${names} }) end
      function mcp_config_routes(pool)
        local fgen = mcp.funcgen_new()
        local handle = fgen:new_handle(pool)
        fgen:ready({ n = 'route', f = function(rctx) return function(r) return rctx:enqueue_and_wait(r, handle) end end })
        mcp.attach(mcp.CMD_ANY_STORAGE, fgen)
      end
    `);
    const asUser = userInfo().uid === 0 ? ['-u', 'root'] : [];
    return { port, binary: memcachedProxyBinary() ?? '', args: ['-l', '127.0.0.1', '-p', String(port), '-U', '0', ...asUser, '-o', `proxy_config=${config}`] };
  });

async function start(prepare: (folder: string) => Promise<{ port: number; binary: string; args: string[] }>): Promise<ProxyProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'proxy-'));
  const { port, binary, args } = await prepare(folder);
  const child = spawn(binary, args, { stdio: 'ignore' });
  const stop = endWithUs(child);
  await once(child, 'spawn');
  while (!(await accepts(port))) if (child.exitCode !== null) throw new Error(`${binary} ${args.join(' ')} does not start`);
  return {
    address: `127.0.0.1:${port}`,
    async stop() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
