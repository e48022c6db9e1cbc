import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');

/** A user's project, in a folder of its own, with the package as it would be published. */
export class UserProject {
  readonly folder = mkdtempSync(join(tmpdir(), 'tsmemcache-user-'));
  readonly tarball: string;

  constructor() {
    // Built and packed from a copy, so that tests that run meanwhile see no half-built dist.
    const copy = join(this.folder, 'package');
    mkdirSync(copy);
    for (const name of ['src', 'tools', 'docs', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']) {
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    }
    symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    execFileSync(process.execPath, ['--import', 'tsx', 'tools/build.ts'], { cwd: copy, env: { ...process.env, NODE_OPTIONS: '' } });
    const [packed] = JSON.parse(
      execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', this.folder], { cwd: copy, encoding: 'utf8' }),
    ) as [{ filename: string }];
    this.tarball = join(this.folder, packed.filename);
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
    return execFileSync(command, args, { cwd: this.folder, encoding: 'utf8', stdio: 'pipe', timeout: 120_000, env: { ...process.env, NODE_OPTIONS: '' } });
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
