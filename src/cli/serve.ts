import { systemClock } from '../runtime/clock';
import { parseServeOptions, UsageError, type ServeOptions } from './options';
import { start, type Log, type RunningServer, type ServeIo } from './start';

const HELP = `usage: tsmemcache serve [options]

A memcached-compatible server in this process, in the foreground. Options are memcached's:

  -p, --port=NUM                TCP port (default: 11211; 0: any free one)
  -l, --listen=ADDR             addresses to listen on, with or without port (default: 127.0.0.1)
  -s, --unix-socket=FILE        unix socket to listen on instead of TCP
  -a, --unix-mask=MODE          its access mode, octal (default: 700)
  -m, --memory-limit=NUM        memory for items, in megabytes (default: 64)
  -I, --max-item-size=NUM       largest item, with k or m (default: 1m; 1k to 1024m)
  -M, --disable-evictions       refuse when memory is full, instead of evicting
  -c, --conn-limit=NUM          connections at once (default: 1024)
  -b, --listen-backlog=NUM      connections not yet accepted (default: 1024)
  -R, --max-reqs-per-event=NUM  commands of one client before others get their turn (default: 500)
  -C, --disable-cas             no cas numbers
  -F, --disable-flush-all       no flush_all
  -X, --disable-dumping         no listing of keys
  -W, --disable-watch           no watch (there is none)
  -A, --enable-shutdown         let clients end the server
  -Y, --auth-file=FILE          text authentication, a line user:password each
  -Z, --enable-ssl              TLS: -o ssl_chain_cert=FILE,ssl_key=FILE
  -P, --pidfile=FILE            write the process id
  -u, --user=NAME               become this user when everything is open, before anybody is served
  -o, --extended=LIST           idle_timeout=SECONDS, ssl_…; tuning of slabs and LRU has no effect
      --redis-port=NUM          serve Redis clients too, on the same addresses
  -v, -vv                       events; commands too, with their keys
      --log=text|json           format of the log, on stderr (default: text)
  -t, -f, -n, -L, -U 0, -B ascii  accepted, without effect
      --snapshot=FILE           keep the items in a file from one run to the next
      --save-interval=SECONDS   how often it is written if something has changed (default: 60; 0: only at the end)
  -h, --help                    this text
  -V, --version                 version

Not served: the binary protocol and SASL (-B binary, -S), UDP, extstore, the proxy, a memory file (-e), running as a daemon
(-d). Status 2: illegal values; 71: it cannot listen; 1: the snapshot cannot be read, or not be saved at the end.
`;

/**
 * Starts what `args` ask for.
 *
 * @returns the running server, or the exit status when there is nothing to run
 */
export async function serve(args: readonly string[], version: string, io: ServeIo): Promise<RunningServer | number> {
  let log = logTo(io, 'text');
  try {
    const options = parseServeOptions(args);
    if (options === 'help') io.stdout(HELP);
    else if (options === 'version') io.stdout(`tsmemcache ${version}\n`);
    else {
      log = logTo(io, options.log);
      const running = await start(options, io, log);
      announce(running, options, io);
      return running;
    }
    return 0;
  } catch (error) {
    if (io.ended.aborted && error === io.ended.reason) return 0;
    if (!(error instanceof UsageError)) throw error;
    log(error.message);
    return error.status;
  }
}

/** The one line on stdout: that it is ready, and where. */
function announce({ addresses, redisAddresses }: RunningServer, { log }: ServeOptions, io: ServeIo): void {
  const forRedis = redisAddresses.length === 0 ? '' : `, for Redis clients on ${redisAddresses.join(', ')}`;
  const line = `tsmemcache listening on ${addresses.join(', ')}${forRedis}`;
  io.stdout(log === 'json' ? jsonLine('info', line, { addresses, redisAddresses }) : `${line}\n`);
}

/** The names of the levels of detail in JSON. */
const LEVELS = ['warning', 'error', 'debug'];

function logTo(io: ServeIo, format: ServeOptions['log']): Log {
  return (line, level = 1) => {
    io.stderr(format === 'json' ? jsonLine(LEVELS[level] ?? 'debug', line) : `${line}\n`);
  };
}

/** One event on one line. */
function jsonLine(level: string, message: string, more: object = {}): string {
  return `${JSON.stringify({ time: new Date(systemClock.time()).toISOString(), level, message, ...more })}\n`;
}
