import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
/** Names the folder in which the test files of one run share the package: see long-setup.ts. */
export const SHARED_PACKAGE = 'TSMEMCACHE_SHARED_PACKAGE';

/** How long the package may take that another test file makes, in ms. */
const PACKING = 300_000;

/** Builds and packs into `folder`, from a copy, so that tests that run meanwhile see no half-built dist. @returns the tarball */
function pack(folder: string): string {
  const copy = join(folder, 'package');
  mkdirSync(copy);
  for (const name of ['src', 'tools', 'docs', 'examples', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  execFileSync(process.execPath, ['--import', 'tsx', 'tools/build.ts'], { cwd: copy, env: { ...process.env, NODE_OPTIONS: '' } });
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: copy, encoding: 'utf8' }),
  ) as [{ filename: string }];
  return join(folder, packed.filename);
}

/** The package as the first test file of this run that needs it has made it in `folder`; the others wait for it. */
function packOnce(folder: string): string {
  const lock = join(folder, 'lock');
  const done = join(folder, 'tarball');
  const deadline = Date.now() + PACKING;
  while (!existsSync(done)) {
    let mine = true;
    try {
      mkdirSync(lock);
    } catch {
      mine = false;
    }
    if (mine) {
      const attempt = mkdtempSync(join(folder, 'attempt-'));
      try {
        writeFileSync(join(attempt, 'tarball'), pack(attempt));
        renameSync(join(attempt, 'tarball'), done);
      } catch (error) {
        rmSync(lock, { recursive: true });
        throw error;
      }
    } else {
      if (Date.now() > deadline) throw new Error('the package that another test file makes is not there');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    }
  }
  return readFileSync(done, 'utf8');
}

/** A user's project, in a folder of its own, with the package as it would be published. */
export class UserProject {
  readonly folder = mkdtempSync(join(tmpdir(), 'tsmemcache-user-'));
  readonly tarball: string;

  constructor() {
    const shared = process.env[SHARED_PACKAGE];
    this.tarball = shared === undefined ? pack(this.folder) : packOnce(shared);
    this.write('package.json', '{ "name": "user", "private": true }');
    // The dependencies come from here rather than from a registry.
    this.run('npm', 'install', '--no-audit', '--no-fund', '--offline', '--no-package-lock', '--ignore-scripts', '--omit=dev', '--omit=peer',
      this.tarball, ...this.dependencies.map((name) => join(ROOT, 'node_modules', name)));
  }

  /** The package's own. */
  get dependencies(): string[] {
    const { dependencies } = JSON.parse(execFileSync('tar', ['-xzOf', this.tarball, 'package/package.json'], { encoding: 'utf8' })) as { dependencies: object };
    return Object.keys(dependencies);
  }

  /** Where the package was installed. */
  get installed(): string {
    return join(this.folder, 'node_modules', 'tsmemcache');
  }

  /** The file `name` of the project. */
  write(name: string, text: string): string {
    const path = join(this.folder, name);
    writeFileSync(path, text);
    return path;
  }

  /** What the command prints. */
  run(command: string, ...args: string[]): string {
    return execFileSync(command, args, { cwd: this.folder, encoding: 'utf8', stdio: 'pipe', timeout: 300_000, env: { ...process.env, NODE_OPTIONS: '' } });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One project for all tests of a file or a `describe`, given to `take` before the first. */
export function allInUserProject(take: (project: UserProject) => void): void {
  let project: UserProject;
  beforeAll(() => {
    project = new UserProject();
    take(project);
    // Longer than to wait for the package of another file and to install it.
  });
  afterAll(() => {
    project.remove();
  });
}
