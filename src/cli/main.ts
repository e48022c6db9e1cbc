#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../runtime/message-of';
import type { RunningServer } from './start';

const HELP = `usage: tsmemcache <command> [options]

commands:
  serve       run a memcached-compatible server (tsmemcache serve --help)

  --help      this text
  --version   version
`;

/** What ends a server. SIGHUP comes when its terminal is closed; by itself Node would end without a last save, under `nohup` too. */
const ENDS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;

/** Each command is loaded only when it is needed: a server does not load the client. */
async function main(): Promise<void> {
  const [command, ...args] = process.argv.slice(2);
  switch (command) {
    case 'serve':
      return runServer(args);
    case '--version':
    case '-V':
      process.stdout.write(`tsmemcache ${packageVersion()}\n`);
      return;
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(HELP);
      return;
    case undefined:
      process.stderr.write(HELP);
      process.exitCode = 2;
      return;
    default:
      process.stderr.write(`tsmemcache: ${complaint(process.argv.slice(2))}\n\n${HELP}`);
      process.exitCode = 2;
  }
}

function complaint(args: readonly string[]): string {
  const [command = ''] = args;
  if (!command.startsWith('-')) return `there is no command ${command}; did you mean: tsmemcache serve`;
  return `${command} is an option of a command; did you mean: tsmemcache serve ${args.join(' ')}`;
}

async function runServer(args: readonly string[]): Promise<void> {
  const { serve } = await import('./serve.js');
  // A signal may come as soon as the address is printed, or before.
  const ended = new AbortController();
  const asked = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ENDS) {
      process.once(signal, () => {
        resolve(signal);
        ended.abort();
      });
    }
  });
  const failed = (): void => {
    process.exitCode = 1;
  };
  const running = await serve(args, packageVersion(), {
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    failed,
    ended: ended.signal,
  });
  // The log says why the last save failed.
  if (typeof running !== 'number') asked.then((signal) => end(running, signal)).catch(failed);
  else if (ended.signal.aborted) leave(await asked, running);
  else process.exitCode = running;
}

/** Ends after a start that was given up: a look-up of a name, which cannot be, must not hold up the end. */
function leave(by: NodeJS.Signals, status: number): void {
  if (by === 'SIGHUP') endBy(by);
  else process.exit(status);
}

/** Ends what runs. Signals that follow, as when Ctrl-C reaches npm too, do not end the process in the midst of its last save. */
async function end(running: RunningServer, by: NodeJS.Signals): Promise<void> {
  for (const signal of ENDS) process.on(signal, () => undefined);
  try {
    await running.close();
  } finally {
    if (by === 'SIGHUP') endBy(by);
  }
}

/** An exit where the terminal is gone is an abort in Node, which cannot set its mode back. */
function endBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

function packageVersion(): string {
  const text: unknown = JSON.parse(readFileSync(join(__dirname, '../../package.json'), 'utf8'));
  return typeof text === 'object' && text !== null && 'version' in text ? String(text.version) : '';
}

function fail(error: unknown): void {
  process.stderr.write(`tsmemcache: ${messageOf(error)}\n`);
  process.exitCode = 1;
}

// Whoever reads what is printed may have gone (`| head`), which is no reason to end a server.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
main().catch(fail);
export {};
