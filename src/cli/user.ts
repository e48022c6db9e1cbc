import { execFile } from 'node:child_process';
import { lchownSync } from 'node:fs';
import { promisify } from 'node:util';
import { messageOf } from '../runtime/message-of';
import { EX_OSERR, UsageError } from './options';

/** How the process becomes another user. Both @throws UsageError when the system refuses. */
export interface UserChange {
  /** Gives that user these files, and makes the process that user for good. */
  become(files: readonly string[]): void;
  /** Runs `check` with the rights of that user, and of no other. What it throws is thrown. */
  try(check: () => void): void;
}

/**
 * Looks up a user, so that the process can become that user later without waiting.
 *
 * @returns undefined when it is that user already
 * @throws UsageError when there is no such user, or only root could become it
 */
export async function userChange(name: string): Promise<UserChange | undefined> {
  if (!/^[a-z_][a-z0-9_.-]*\$?$/i.test(name)) throw new UsageError(`-u, --user: must be the name of a user, not ${JSON.stringify(name)}`);
  if (process.getuid === undefined) throw new UsageError('-u, --user: this system has no users to change to');
  const [uid, gid] = await Promise.all([idOf(name, '-u'), idOf(name, '-g')]);
  const own = process.getuid();
  if (own === uid) return undefined;
  if (own !== 0) throw new UsageError('-u, --user: only root can become another user');
  const change = (steps: (system: WithUsers) => void): void => {
    try {
      steps(process as typeof process & WithUsers);
    } catch (error) {
      throw new UsageError(`-u, --user: cannot become ${name}: ${messageOf(error)}`, EX_OSERR);
    }
  };
  return {
    become(files) {
      change((system) => {
        // Others may write to the folder: what has become a link must not be followed.
        for (const file of files) lchownSync(file, uid, gid);
        system.setgid(gid);
        system.initgroups(name, gid);
        system.setuid(uid);
      });
    },
    try(check) {
      const groups = process.getgroups?.() ?? [];
      const group = process.getegid?.() ?? 0;
      change((system) => {
        system.initgroups(name, gid);
        system.setegid(gid);
        system.seteuid(uid);
      });
      try {
        check();
      } finally {
        change((system) => {
          system.seteuid(own);
          system.setegid(group);
          system.setgroups(groups);
        });
      }
    },
  };
}

/** Every Node on a system with users has these; its types do not have all of them. */
type WithUsers = Required<Pick<typeof process, 'setgid' | 'setuid' | 'setegid' | 'seteuid' | 'setgroups'>> & {
  initgroups(user: string, extraGroup: number): void;
};

/** Asks the program `id`, as Node cannot look up users. */
async function idOf(name: string, what: '-u' | '-g'): Promise<number> {
  try {
    const { stdout } = await promisify(execFile)('id', [what, name]);
    return Number(stdout);
  } catch {
    throw new UsageError(`-u, --user: there is no user ${name}`);
  }
}
