/**
 * A transformer for jest that compiles as the other tests do, with one defect planted: `PLANTED_DEFECT` holds
 * `{ file, find, replace }`, the file as an absolute path. The sources stay as they are, and all other files come from the cache.
 */
import { createHash } from 'node:crypto';
import { env } from 'node:process';
import tsJest from 'ts-jest';

const defect = JSON.parse(env.PLANTED_DEFECT ?? 'null');

 
const plant = (source, path) => (path === defect?.file ? source.replace(defect.find, () => defect.replace) : source);

export default {
  createTransformer(options) {
    const compiler = tsJest.default.createTransformer(options);
    return {
      getCacheKey: (source, path, context) =>
        createHash('sha256').update(compiler.getCacheKey(plant(source, path), path, context)).digest('hex'),
      process: (source, path, context) => compiler.process(plant(source, path), path, context),
    };
  },
};
