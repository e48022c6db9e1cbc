/* global defineEventHandler, useStorage -- Nitro gives them */
export default defineEventHandler(async () => {
  const storage = useStorage('cache');
  const count = Number((await storage.getItem('count')) ?? 0) + 1;
  await storage.setItem('count', count, { ttl: 60 });
  return { count };
});
