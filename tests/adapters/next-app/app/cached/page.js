import { cacheLife, cacheTag } from 'next/cache';
import { connection } from 'next/server';

async function post() {
  'use cache';
  cacheTag('posts');
  cacheLife('hours');
  const response = await fetch(process.env.DATA, { cache: 'no-store' });
  return response.text();
}

export default async function Page() {
  await connection();
  return <p>cached {await post()}</p>;
}
