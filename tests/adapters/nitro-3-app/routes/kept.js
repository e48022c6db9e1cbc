import { defineHandler } from 'nitro';
import { useStorage } from 'nitro/storage';

export default defineHandler(async () => {
  const storage = useStorage('cache');
  const count = Number((await storage.getItem('count')) ?? 0) + 1;
  await storage.setItem('count', count, { ttl: 60 });
  return { count };
});
