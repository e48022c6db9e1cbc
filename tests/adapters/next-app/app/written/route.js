export const dynamic = 'force-dynamic';

// Answers when all that requests have written is in the cache.
export async function GET() {
  await Promise.all(globalThis.writes.splice(0));
  return Response.json({ done: true });
}
