/**
 * A transformer for jest that compiles as the other tests do, but for one file: `PLANTED_DEFECT` holds `{ file, compiled }`, the
 * path of a source and that of what it was compiled to with a defect in it. The sources stay as they are, and all other files
 * come from jest's cache.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { env } from 'node:process';
import { URL } from 'node:url';

const defect = JSON.parse(env.PLANTED_DEFECT ?? 'null');
/** What the outcome of compiling depends on, beside the file. */
const settings = ['tsconfig.json', 'package-lock.json'].map((name) => readFileSync(new URL(`../../${name}`, import.meta.url)));

/** The file with the defect as it was compiled; undefined for any other. */
const planted = (path) => (path === defect?.file ? readFileSync(defect.compiled, 'utf8') : undefined);

export default {
  createTransformer(options) {
    let compiler;
    // To load ts-jest, and TypeScript with it, takes longer than most of the tests: only for what is not in the cache.
    const tsJest = () => (compiler ??= createRequire(import.meta.url)('ts-jest').default.createTransformer(options));
    return {
      getCacheKey: (source, path, { configString }) => {
        const hash = createHash('sha256');
        for (const part of [...settings, configString, path, planted(path) ?? source]) hash.update(part).update('\0');
        return hash.digest('hex');
      },
      process: (source, path, context) => {
        const code = planted(path);
        return code === undefined ? tsJest().process(source, path, context) : { code };
      },
    };
  },
};
